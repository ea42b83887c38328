"""Still-picture pipeline: detects every face and classifies it with test-time augmentation."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from mien.boxes import Box, clip_box, face_to_square
from mien.classification.classifier import Classifier
from mien.classification.prediction import decode_prediction
from mien.classification.preprocess import tta_crops
from mien.detection.base import Detection, Detector
from mien.detection.tiles import detect_still
from mien.pipeline.results import Face, FrameResult
from mien.tflite.metadata import Metadata

if TYPE_CHECKING:
    from mien.sources.base import Frame


class ImagePipeline:
    """Detector and classifier for single pictures."""

    def __init__(self, detector: Detector, classifier: Classifier, metadata: Metadata) -> None:
        self.detector = detector
        self.classifier = classifier
        self.metadata = metadata

    def process(self, frame: Frame) -> FrameResult:
        """Return the faces of a frame, the largest first."""
        start = time.perf_counter()
        detections = detect_still(self.detector, frame.gray)
        found = time.perf_counter()
        faces = self.read(frame.gray, detections)
        end = time.perf_counter()
        ms = {
            "detect": (found - start) * 1e3,
            "classify": (end - found) * 1e3,
            "total": (end - start) * 1e3,
        }
        return FrameResult(frame.index, frame.time, faces, ms)

    def read(
        self, gray: npt.NDArray[np.uint8], detections: Sequence[Detection | None]
    ) -> tuple[Face, ...]:
        """Classify the faces of a gray picture, uint8 [H, W], the largest first.

        `None` for a detection takes the whole picture as one face.
        """
        height, width = gray.shape
        faces = []
        for found in detections:
            square = face_to_square(found.box) if found else None
            logits = tta_logits(self.classifier, gray, square, self.metadata)
            box = clip_box(found.box, width, height) if found else (0, 0, width, height)
            points = found.landmarks if found else None
            faces.append(Face(box, decode_prediction(logits, self.metadata), landmarks=points))
        return tuple(sorted(faces, key=lambda face: (-face.box[2] * face.box[3], face.box)))


def tta_logits(
    classifier: Classifier, gray: npt.NDArray[np.uint8], box: Box | None, metadata: Metadata
) -> npt.NDArray[np.float32]:
    """Return the logits, float32 [K], of a face in a picture, uint8 [H, W]: the mean of its crops.

    Raises as `mien.classification.preprocess.preprocess_face` does.
    """
    logits: npt.NDArray[np.float32] = classifier.logits(tta_crops(gray, box, metadata)).mean(axis=0)
    return logits
