"""One CSV row per face and frame; docs/output.md lists the columns."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

from mien.atomic import commit, temp_path
from mien.errors import UserError
from mien.pipeline.results import FrameResult
from mien.sources.base import Change, Frame

COLUMNS = ("frame", "time", "picture", "face", "x", "y", "w", "h", "emotion", "confidence")
MORE = ("id", "age")  # behind the probabilities: columns keep their places


class CsvOutput:
    """A CSV file with the fixed columns and a probability column per label of the model.

    It appears under its name when it is closed; until then it is a hidden file beside it. A
    frame without a face has no row.
    """

    def __init__(self, path: Path, labels: Sequence[str]) -> None:
        self._path = path.resolve()  # a link stays one
        self._part = temp_path(self._path)
        self._labels = labels
        try:
            # Line by line, so that what a power cut leaves is of use.
            self._file = self._part.open("w", encoding="utf-8", newline="", buffering=1)
            self._rows = csv.writer(self._file, lineterminator="\n")
            self._rows.writerow([*COLUMNS, *(f"p_{label}" for label in labels), *MORE])
        except OSError as error:
            raise UserError(f"{path} cannot be written: {error.strerror}.") from error

    def write(self, frame: Frame, result: FrameResult) -> None:
        """Write the rows of a frame's faces."""
        try:
            for number, face in enumerate(result.faces):
                reading = face.prediction
                self._rows.writerow(
                    [
                        int(result.frame),
                        f"{result.time:.4f}",
                        frame.picture or "",
                        number,
                        *(int(value) for value in face.box),
                        reading.emotion,
                        f"{reading.confidence:.4f}",
                        *(f"{reading.probabilities[label]:.4f}" for label in self._labels),
                        "" if face.id is None else face.id,
                        "" if face.id is None else f"{face.age:.3f}",
                    ]
                )
        except OSError as error:
            raise UserError(f"{self._path} cannot be written: {error.strerror}.") from error

    def changed(self, change: Change) -> None:
        """Nothing: a row is a face."""

    def close(self) -> None:
        """Complete the file and put it in its place."""
        try:
            self._file.close()
        except OSError as error:
            self._part.unlink(missing_ok=True)
            raise UserError(f"{self._path} cannot be written: {error.strerror}.") from error
        commit(self._part, self._path)
