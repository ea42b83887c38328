"""Calibration on the page: takes of a person's expressions, and the profile fitted to them.

A visitor starts a take of one expression after the other; the run's own frames are its pictures.
They are classified without the run's profile and smoothing. The thumbnails stay in memory, and go
with the calibration's end or after ten minutes without a request.
"""

from __future__ import annotations

import re
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from mien.atomic import check_target
from mien.boxes import face_to_square
from mien.classification.classifier import Classifier
from mien.classification.preprocess import preprocess_face
from mien.classification.profile import SUFFIX, Profile
from mien.errors import UserError
from mien.pipeline.results import FrameResult
from mien.pipeline.samples import TAKE_S, Samples, average_parts
from mien.pipeline.video import CLASSIFY_INTERVAL_S
from mien.sources.base import Frame
from mien.tflite.model_file import Model

TAKE_LIMIT_S = 15.0  # s after which a take ends although too few frames came
MAX_TAKES = 40
IDLE_S = 600.0  # s without a request after which everything captured is forgotten
THUMBNAIL_PX = 96
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,39}")


@dataclass
class Take:
    """What was captured of one expression."""

    label: str
    started: float  # s of time.monotonic()
    first: float | None = None  # s, time of its first frame
    last: float = -1.0  # s, time of the last frame that was classified
    logits: list[npt.NDArray[np.float32]] = field(default_factory=list)  # each [K]
    thumbnail: bytes = b""  # JPEG


class Calibrator:
    """Captures takes from the frames of a run, and fits a profile; safe between threads.

    `apply` gets a profile that is better than the model alone, after it was saved in `folder` as
    NAME.profile.json. With `blur` no thumbnail is made.
    """

    def __init__(
        self, model: Model, folder: Path, apply: Callable[[Profile], None], blur: bool = False
    ) -> None:
        self._metadata = model.metadata
        self._model = model
        self._classifier: Classifier | None = None  # made for the first take
        self._folder = folder
        self._apply = apply
        self._blur = blur
        self._lock = threading.Lock()
        self._takes: list[Take] = []
        self._current: Take | None = None
        self._fitting = False
        self._asked = 0.0  # s of time.monotonic(), of the last request

    def add(self, frame: Frame, result: FrameResult) -> None:
        """Take the largest face of a frame into the take that is being captured, if one is."""
        with self._lock:
            take = self._current
            if take is None or self._classifier is None:
                if self._takes and time.monotonic() - self._asked > IDLE_S:
                    self._takes.clear()
                return
            take.first = frame.time if take.first is None else take.first
            if frame.time - take.first >= TAKE_S or _is_over(take):
                self._current = None
                return
            if not result.faces or 0 <= frame.time - take.last < CLASSIFY_INTERVAL_S - 1e-3:
                return
            take.last = frame.time
            square = face_to_square(result.faces[0].box)
            crop = preprocess_face(frame.gray, square, self._metadata)
            take.logits.append(self._classifier.logits(crop[np.newaxis])[0])
            if not take.thumbnail and not self._blur:
                take.thumbnail = _thumbnail(frame.gray, square)

    def start(self, label: str) -> None:
        """Begin a take of an expression; raises UserError for an unknown one or while busy."""
        with self._lock:
            self._asked = time.monotonic()
            if label not in (labels := self._metadata.labels):
                raise UserError(f"There is no such expression; choose one of {', '.join(labels)}.")
            if self._capturing() or self._fitting:
                raise UserError("Another take is being captured; wait for its end.")
            if len(self._takes) >= MAX_TAKES:
                raise UserError(f"{MAX_TAKES} takes are the most; finish, or discard them.")
            self._classifier = self._classifier or Classifier(self._model)
            self._current = Take(label, time.monotonic())
            self._takes.append(self._current)

    def discard(self) -> None:
        """Forget everything that was captured."""
        with self._lock:
            self._takes.clear()
            self._current = None

    def finish(self, name: str) -> dict[str, Any]:
        """Fit a profile to the takes, save and apply it, and forget them; takes seconds.

        Returns counts of pictures read correctly, and the file, None where the profile was no
        better and nothing was saved. Raises UserError where that cannot be; the takes then stay.
        """
        if not NAME.fullmatch(name):
            raise UserError("A name has letters, digits, - and _ only, at most 40 of them.")
        target = self._folder / f"{name}{SUFFIX}"
        check_target(target)
        with self._lock:
            if self._capturing() or self._fitting:
                raise UserError("A take is still being captured; wait for its end.")
            samples = Samples()
            for take in self._takes:
                rows = average_parts([np.asarray(v, np.float64) for v in take.logits], TAKE_S)
                samples.add(rows, self._metadata.labels.index(take.label))
            if not samples:
                raise UserError("No face was captured; start a take first.")
            self._fitting = True
        try:
            fit = samples.fit(self._metadata, name)
            if fit.profile is not None:
                fit.profile.save(target)
                self._apply(fit.profile)
        finally:
            with self._lock:
                self._fitting = False
        self.discard()
        return {
            "total": fit.total,
            "before": fit.correct_before,
            "after": fit.correct_after,
            "reason": fit.reason,
            "file": None if fit.profile is None else str(target.resolve()),
        }

    def to_json(self) -> dict[str, Any]:
        """Return the content of /api/calibration."""
        with self._lock:
            self._asked = time.monotonic()
            return {
                "labels": list(self._metadata.labels),
                "seconds": TAKE_S,
                "capturing": self._capturing(),
                "fitting": self._fitting,
                "takes": [self._describe(take) for take in self._takes],
            }

    def thumbnail(self, number: int) -> bytes:
        """Return the JPEG of a take, counted from 1; empty without one."""
        with self._lock:
            return self._takes[number - 1].thumbnail if 0 < number <= len(self._takes) else b""

    def _capturing(self) -> bool:
        return self._current is not None and not _is_over(self._current)

    def _describe(self, take: Take) -> dict[str, Any]:
        labels = self._metadata.labels
        read = Counter(labels[int(row.argmax())] for row in take.logits)
        return {
            "label": take.label,
            "predictions": len(take.logits),
            "read": dict(read.most_common(3)),
            "thumbnail": bool(take.thumbnail),
        }


def _is_over(take: Take) -> bool:
    """Whether a take has lasted too long, as where the camera was lost meanwhile."""
    return time.monotonic() - take.started > TAKE_LIMIT_S


def _thumbnail(gray: npt.NDArray[np.uint8], square: tuple[int, int, int, int]) -> bytes:
    height, width = gray.shape
    x, y, w, h = square
    part = gray[max(0, y) : min(height, y + h), max(0, x) : min(width, x + w)]
    small = cv2.resize(part, (THUMBNAIL_PX, THUMBNAIL_PX), interpolation=cv2.INTER_AREA)
    return bytes(cv2.imencode(".jpg", small)[1].tobytes())
