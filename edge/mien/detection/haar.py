"""Haar cascade: OpenCV's face detector of Viola and Jones (CVPR 2001)."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from mien.boxes import nms, square_to_face
from mien.detection.base import Detection, Gray
from mien.errors import UserError

CASCADE = "haarcascade_frontalface_alt2.xml"  # of the frontal ones the fewest false boxes
DEBIAN_CASCADES = Path("/usr/share/opencv4/haarcascades")  # Debian keeps them outside cv2.data
WORKING_SIZE = 320  # px, the longer side of what is searched
SCALE_STEP = 1.2  # between two searched sizes
MIN_SIDE = 20  # px, the cascade's window
MIN_NEIGHBORS = 2  # raw hits that make a face
# A cascade has no score; hits stand for it: 2 are 0.57 and keep a track, 3 are 0.67 and start one,
# 6 are 0.8 and confirm it.
HITS_AT_HALF = 1.5
MAX_IOS = 0.5  # of two boxes: no face stands in another


class HaarDetector:
    """The cascade, loaded once; raises UserError where OpenCV has none."""

    still_score = 0.7

    def __init__(self) -> None:
        self._cascade = load_cascade(CASCADE)

    def detect(self, gray: Gray) -> list[Detection]:
        """Return the faces of a gray picture, uint8 [H, W], the best score first."""
        factor = min(1.0, WORKING_SIZE / max(gray.shape))
        if factor < 1:
            size = [max(1, round(side * factor)) for side in gray.shape[::-1]]
            gray = np.asarray(cv2.resize(gray, size, interpolation=cv2.INTER_AREA), np.uint8)
        if min(gray.shape) < MIN_SIDE:
            return []
        squares, hits = self._cascade.detectMultiScale2(
            gray, scaleFactor=SCALE_STEP, minNeighbors=MIN_NEIGHBORS, minSize=(MIN_SIDE, MIN_SIDE)
        )
        found = [
            Detection(
                square_to_face([float(value) / factor for value in square]),
                int(count) / (int(count) + HITS_AT_HALF),
            )
            for square, count in zip(squares, hits, strict=True)
        ]
        kept = nms([one.box for one in found], [one.score for one in found], 1.0, MAX_IOS)
        return [found[index] for index in kept]


def load_cascade(name: str) -> cv2.CascadeClassifier:
    """Return one of OpenCV's cascades by its file name; raises UserError where it has none."""
    folders = [DEBIAN_CASCADES]
    if hasattr(cv2, "data"):
        folders.insert(0, Path(cv2.data.haarcascades))
    if hasattr(cv2, "CascadeClassifier"):
        for folder in folders:
            if (folder / name).is_file():
                cascade = cv2.CascadeClassifier(str(folder / name))
                if not cascade.empty():
                    return cascade
    raise UserError(
        f"OpenCV {cv2.__version__} comes without the Haar cascade of faces; "
        'run `pip install "opencv-python>=4.10,<5"`.'
    )
