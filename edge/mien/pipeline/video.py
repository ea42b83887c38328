"""Follows the faces of a video and reads each now and then: what every frame then shows of them."""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np

from mien.classification.classifier import Classifier
from mien.classification.preprocess import Box, face_input
from mien.classification.smoothing import SMOOTH_S, Smoother
from mien.detection.still import PhotoDetector
from mien.pipeline.results import Face
from mien.pipeline.still import FrameResult, Pipeline
from mien.sources.base import Frame
from mien.tflite.model_file import Model
from mien.tracking.track import Track
from mien.tracking.tracker import Tracker

MOST_FACES = 16
READ_S = 0.1  # s between two readings of a face; expressions change in some tenths of a second
STILL_READ_S = 0.5  # s between them where nothing moves in the face's box
READS_A_FRAME = 1  # of faces that were read before: a crowd is read in turns, at the same rate
FIRST_READS = 3  # readings in a frame, at most, while some faces were never read


class Engine:
    """Frames in their order to what is shown of each: the part of `mien run` that thinks.

    `smooth` is the time constant of the readings in s, 0 shows each as it was read; `most` bounds
    the faces that are followed. Pictures of a folder have nothing to do with each other: in each
    the faces are found and read anew. Raises UserError where the model cannot be run or OpenCV
    has no cascades.
    """

    def __init__(
        self, model: Model, threads: int = 1, smooth: float = SMOOTH_S, most: int = MOST_FACES
    ) -> None:
        self.metadata = model.metadata
        self._classifier = Classifier(model, threads)
        self._smooth = smooth
        self._most = most
        self._tracker = Tracker(most)
        self._smoothers: dict[int, Smoother] = {}  # by the face's id
        self._stills: Pipeline | None = None
        self._effort = 1.0

    @property
    def effort(self) -> float:
        """How hard faces are searched and read, above 0 to 1: what `mien.runtime.governor`
        decides."""
        return self._effort

    @effort.setter
    def effort(self, value: float) -> None:
        self._effort = self._tracker.effort = value

    def process(self, frame: Frame) -> FrameResult:
        """Return the faces of a frame with what is shown of them, the largest first."""
        if frame.picture is not None:
            return self._process_still(frame)
        start = time.perf_counter()
        tracks = self._tracker.update(frame.gray, frame.time)
        found = time.perf_counter()
        self._forget()
        for track in self._due(tracks, frame.time):
            self._read(track, frame)
        faces = self._faces(tracks, frame)
        end = time.perf_counter()
        ms = {
            "detect": (found - start) * 1e3,
            "classify": (end - found) * 1e3,
            "total": (end - start) * 1e3,
        }
        latency = None if frame.exposed is None else max(0.0, time.monotonic() - frame.exposed)
        return FrameResult(frame.index, frame.time, faces, ms, latency)

    def _process_still(self, frame: Frame) -> FrameResult:
        if self._stills is None:
            self._stills = Pipeline(PhotoDetector(), self._classifier, self.metadata)
        result = self._stills.process(frame)
        faces = result.faces[: self._most]
        return FrameResult(result.frame, result.time, faces, result.ms)

    def _forget(self) -> None:
        followed = self._tracker.ids
        for gone in [number for number in self._smoothers if number not in followed]:
            del self._smoothers[gone]

    def _due(self, tracks: Sequence[Track], now: float) -> list[Track]:
        """Return the faces to read in this frame: the longest waiting, so that all get a turn."""
        new, known = [], []
        for track in tracks:
            smoother = self._smoothers.get(track.id)
            if smoother is None:
                new.append(track)
                continue
            rest = (STILL_READ_S if track.still else READ_S) / self._effort
            # A time that goes back is another part of the video.
            if not 0 <= now - smoother.time < rest - 1e-3:
                known.append(track)
        known.sort(key=lambda track: self._smoothers[track.id].time)
        return new[:FIRST_READS] or known[:READS_A_FRAME]

    def _read(self, track: Track, frame: Frame) -> None:
        crop = face_input(frame.gray, _box(track), self.metadata)
        logits = self._classifier.logits(crop[np.newaxis])[0]
        smoother = self._smoothers.get(track.id)
        if smoother is None:
            smoother = self._smoothers[track.id] = Smoother(self.metadata, self._smooth)
        smoother.add(logits, frame.time)

    def _faces(self, tracks: Sequence[Track], frame: Frame) -> tuple[Face, ...]:
        """Return what is shown; a face that had no turn yet follows with the next frame."""
        height, width = frame.gray.shape
        shown = []
        for track in sorted(tracks, key=lambda track: -track.side):
            smoother = self._smoothers.get(track.id)
            if smoother is not None and smoother.reading is not None:
                age = max(0.0, frame.time - smoother.time)
                box = _inside(_box(track), width, height)
                shown.append(Face(box, smoother.reading, track.id, age))
        return tuple(shown)


def _box(track: Track) -> Box:
    x, y, side = track.place
    whole = max(1, round(side))
    return round(x - side / 2), round(y - side / 2), whole, whole


def _inside(box: Box, width: int, height: int) -> Box:
    """Return the part of a box that is in a picture of `width` x `height` px."""
    x, y, w, h = box
    left, top = min(max(0, x), width - 1), min(max(0, y), height - 1)
    right, bottom = max(left + 1, min(width, x + w)), max(top + 1, min(height, y + h))
    return left, top, right - left, bottom - top
