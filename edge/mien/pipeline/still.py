"""One still picture in, every face of it read, each in several views."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from mien.classification.classifier import Classifier
from mien.classification.prediction import read
from mien.classification.preprocess import Box, still_views
from mien.detection.haar import Detector
from mien.pipeline.results import Face
from mien.tflite.model_file import Metadata

if TYPE_CHECKING:
    from mien.sources.base import Frame


@dataclass(frozen=True)
class FrameResult:
    """What was found in one frame."""

    frame: int  # the frame's index
    time: float  # s, the frame's own
    faces: tuple[Face, ...]
    ms: dict[str, float]  # "detect", "classify" and "total", milliseconds
    latency: float | None = None  # s, from the exposure to this result; None of a file


class Pipeline:
    """A detector and a classifier in a row; every face of a still is read."""

    def __init__(self, detector: Detector, classifier: Classifier, metadata: Metadata) -> None:
        self.detector = detector
        self.classifier = classifier
        self.metadata = metadata

    def process(self, frame: Frame) -> FrameResult:
        """Find and read the faces of a frame."""
        start = time.perf_counter()
        boxes = self.detector.detect(frame.gray)
        found = time.perf_counter()
        faces = self.read(frame.gray, boxes)
        end = time.perf_counter()
        ms = {
            "detect": (found - start) * 1e3,
            "classify": (end - found) * 1e3,
            "total": (end - start) * 1e3,
        }
        return FrameResult(frame.index, frame.time, faces, ms)

    def read(self, gray: npt.NDArray[np.uint8], boxes: Sequence[Box | None]) -> tuple[Face, ...]:
        """Read the faces of a gray picture, uint8 [H, W], at the boxes given.

        `None` for a box takes the whole picture as one face.
        """
        whole = (0, 0, gray.shape[1], gray.shape[0])
        return tuple(
            Face(
                box or whole,
                read(still_logits(self.classifier, gray, box, self.metadata), self.metadata),
            )
            for box in boxes
        )


def still_logits(
    classifier: Classifier, gray: npt.NDArray[np.uint8], box: Box | None, metadata: Metadata
) -> npt.NDArray[np.float32]:
    """Return the logits, float32 [K], of a face in a still, uint8 [H, W]: the mean of its views.

    Raises as `mien.classification.preprocess.face_input` does.
    """
    told: npt.NDArray[np.float32] = classifier.logits(still_views(gray, box, metadata)).mean(axis=0)
    return told
