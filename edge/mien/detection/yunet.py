"""YuNet: OpenCV's face detector, from an ONNX file that the user has.

Wu et al., "YuNet: A Tiny Millisecond-level Face Detector", Machine Intelligence Research 2023. The
file is face_detection_yunet_*.onnx of OpenCV Zoo (MIT licence); it does not come with Mien.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from mien.detection.base import Detection, Gray
from mien.errors import UserError

WORKING_SIZE = 320  # px, the longer side of what the network is shown
MIN_SCORE = 0.3  # lower ones are never used
NMS_IOU = 0.3
MAX_DETECTIONS = 500


class YuNetDetector:
    """YuNet by `cv2.FaceDetectorYN`; raises UserError for a file that OpenCV cannot read."""

    still_score = 0.66

    def __init__(self, path: str | Path) -> None:
        if not Path(path).is_file():
            raise UserError(f"There is no detector file {path}; give yunet:FILE an ONNX file.")
        try:
            self._network = cv2.FaceDetectorYN.create(
                str(path), "", (320, 320), MIN_SCORE, NMS_IOU, MAX_DETECTIONS
            )
            self._network.detect(np.zeros((320, 320, 3), np.uint8))
        except cv2.error as error:
            raise UserError(
                f"{path} cannot be run as YuNet by OpenCV {cv2.__version__}; download "
                "face_detection_yunet_2023mar.onnx or a later one from OpenCV Zoo."
            ) from error

    def detect(self, gray: Gray) -> list[Detection]:
        """Return the faces of a gray picture, uint8 [H, W], the best score first."""
        height, width = gray.shape
        factor = WORKING_SIZE / max(height, width)
        size = max(1, round(width * factor)), max(1, round(height * factor))
        method = cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR
        small = gray if factor == 1 else cv2.resize(gray, size, interpolation=method)
        self._network.setInputSize(size)
        _, faces = self._network.detect(cv2.cvtColor(small, cv2.COLOR_GRAY2BGR))
        if faces is None:
            return []
        found = []
        for row in sorted(faces.tolist(), key=lambda row: -row[14]):
            x, y, w, h, *points = (value / factor for value in row[:14])
            marks = tuple(zip(points[::2], points[1::2], strict=True))
            found.append(Detection((x, y, w, h), row[14], marks))
        return found
