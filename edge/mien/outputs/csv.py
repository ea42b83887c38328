"""One CSV row per face and frame; docs/output.md lists the columns."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path

from mien.alertness.signals import Alertness
from mien.atomic import commit, temp_path
from mien.errors import UserError
from mien.outputs.recording import Recording, Rotation, wall_clock
from mien.pipeline.results import FrameResult
from mien.sources.base import Change, Frame

COLUMNS = ("frame", "time", "picture", "face", "x", "y", "w", "h", "emotion", "confidence")
ALERTNESS = (
    *("left_eye", "right_eye", "blinks", "perclos", "yawn", "head", "looking"),
    *("active", "why"),
)
MORE = ("id", "age", "at")  # behind the probabilities: columns keep their places


class CsvOutput:
    """A CSV file with the fixed columns and a probability column per label of the model.

    It appears under its name when it is closed; until then it is a hidden file beside it. With
    `append` rows are written to the file itself, behind those that are there. A frame without a
    face has no row. Raises UserError where nothing can be written.
    """

    def __init__(
        self, path: Path, labels: Sequence[str], append: bool = False, alertness: bool = False
    ) -> None:
        self._path = path.resolve()  # a link stays one
        self._labels = labels
        self._append = append
        self._alertness = alertness
        more = (*MORE, *ALERTNESS) if alertness else MORE
        header = _row([*COLUMNS, *(f"p_{label}" for label in labels), *more])
        if append:
            _check_header(self._path, header)
        target = self._path if append else temp_path(self._path)
        self._recording = Recording(str(target), Rotation(append=append), header)

    def write(self, frame: Frame, result: FrameResult) -> None:
        """Write the rows of a frame's faces."""
        at = wall_clock(result.latency)
        for number, face in enumerate(result.faces, 1):
            prediction = face.prediction
            self._recording.write(
                _row(
                    [
                        int(result.frame),
                        f"{result.time:.4f}",
                        frame.picture or "",
                        number,
                        *(int(value) for value in face.box),
                        prediction.emotion,
                        f"{prediction.confidence:.4f}",
                        *(f"{prediction.probabilities[label]:.4f}" for label in self._labels),
                        "" if face.id is None else face.id,
                        "" if face.id is None else f"{face.age:.3f}",
                        at,
                        *(_alertness(face.alertness) if self._alertness else ()),
                    ]
                )
            )

    def changed(self, change: Change) -> None:
        """Nothing: a row is a face."""

    def close(self) -> None:
        """Complete the file and put it in its place."""
        self._recording.close()
        if not self._append:
            commit(temp_path(self._path), self._path)


def _alertness(told: Alertness | None) -> list[object]:
    """Return the cells of ALERTNESS; empty where a signal cannot be told."""
    if told is None:
        return [""] * len(ALERTNESS)
    return [
        _number(told.left_eye, 3),
        _number(told.right_eye, 3),
        _number(told.blinks, 1),
        _number(told.perclos, 4),
        "" if told.yawn is None else int(told.yawn),
        told.head or "",
        "" if told.looking is None else int(told.looking),
        " ".join(told.active),
        "; ".join(f"{name}: {reason}" for name, reason in told.reasons.items()),
    ]


def _number(value: float | None, digits: int) -> str:
    return "" if value is None else f"{value:.{digits}f}"


def _row(values: Sequence[object]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(values)
    return text.getvalue().encode("utf-8", "surrogateescape")


def _check_header(path: Path, header: bytes) -> None:
    """Refuse to append to a table with other columns; raises UserError."""
    try:
        with path.open("rb") as file:
            first = file.readline(1 << 16)
    except FileNotFoundError:
        return
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}.") from error
    if first and first.rstrip(b"\r\n") != header.rstrip(b"\n"):
        raise UserError(
            f"{path} has other columns than this model writes; name another file for --append."
        )
