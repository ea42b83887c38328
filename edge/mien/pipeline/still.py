"""Still-picture pipeline: detects every face and classifies it with test-time augmentation."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from mien.boxes import Box
from mien.classification.classifier import Classifier
from mien.classification.prediction import decode_prediction
from mien.classification.preprocess import tta_crops
from mien.detection.haar import Detector
from mien.pipeline.results import Face, FrameResult
from mien.tflite.model_file import Metadata

if TYPE_CHECKING:
    from mien.sources.base import Frame


class ImagePipeline:
    """Detector and classifier for single pictures."""

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
        metadata = self.metadata
        logits = [tta_logits(self.classifier, gray, box, metadata) for box in boxes]
        return tuple(
            Face(box or whole, decode_prediction(row, metadata))
            for box, row in zip(boxes, logits, strict=True)
        )


def tta_logits(
    classifier: Classifier, gray: npt.NDArray[np.uint8], box: Box | None, metadata: Metadata
) -> npt.NDArray[np.float32]:
    """Return the logits, float32 [K], of a face in a picture, uint8 [H, W]: the mean of its crops.

    Raises as `mien.classification.preprocess.preprocess_face` does.
    """
    logits: npt.NDArray[np.float32] = classifier.logits(tta_crops(gray, box, metadata)).mean(axis=0)
    return logits
