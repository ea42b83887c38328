"""Finds faces in a gray picture with OpenCV's Haar cascade."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np
import numpy.typing as npt

from edge.crop import Box
from edge.errors import UserError

__all__ = ["Box", "Detector", "HaarDetector"]

CASCADE = "haarcascade_frontalface_default.xml"
DEBIAN_CASCADES = Path("/usr/share/opencv4/haarcascades")  # Debian keeps them outside cv2.data
WINDOW = 24  # px, the smallest face that the cascade knows


class Detector(Protocol):
    """Anything that finds faces."""

    def detect(self, gray: npt.NDArray[np.uint8]) -> list[Box]:
        """Return the boxes of the faces in a gray picture, uint8 [H, W], in its own px."""
        ...


class HaarDetector:
    """The cascade of Viola and Jones (CVPR 2001) as OpenCV ships it, loaded once.

    `scale` is the step between searched sizes, `neighbours` how many raw hits make a face,
    `smallest` the smallest face as a fraction of the picture's shorter side, and `longest_side`
    (px) the size to which a larger picture is reduced before the search. Raises UserError where
    OpenCV has no cascades.
    """

    def __init__(
        self,
        scale: float = 1.2,
        neighbours: int = 5,
        smallest: float = 0.125,
        longest_side: int = 640,
    ) -> None:
        self.scale = scale
        self.neighbours = neighbours
        self.smallest = smallest
        self.longest_side = longest_side
        self._cascade = _load_cascade()

    def detect(self, gray: npt.NDArray[np.uint8]) -> list[Box]:
        """Return the boxes of the faces in a gray picture, uint8 [H, W], largest first."""
        height, width = gray.shape
        shrink = min(1.0, self.longest_side / max(height, width))
        small = gray
        if shrink < 1:
            size = (max(1, round(width * shrink)), max(1, round(height * shrink)))
            small = np.asarray(cv2.resize(gray, size, interpolation=cv2.INTER_AREA), np.uint8)
        side = max(WINDOW, round(min(small.shape) * self.smallest))
        found = self._cascade.detectMultiScale(
            small, scaleFactor=self.scale, minNeighbors=self.neighbours, minSize=(side, side)
        )
        boxes = [_enlarge(box, width / small.shape[1], height / small.shape[0]) for box in found]
        return sorted(boxes, key=lambda box: (-box[2] * box[3], box))


def _enlarge(box: Iterable[int], across: float, down: float) -> Box:
    x, y, w, h = (int(v) for v in box)
    return round(x * across), round(y * down), round(w * across), round(h * down)


def _load_cascade() -> cv2.CascadeClassifier:
    folders = [DEBIAN_CASCADES]
    if hasattr(cv2, "data"):
        folders.insert(0, Path(cv2.data.haarcascades))
    if hasattr(cv2, "CascadeClassifier"):
        for folder in folders:
            if (folder / CASCADE).is_file():
                cascade = cv2.CascadeClassifier(str(folder / CASCADE))
                if not cascade.empty():
                    return cascade
    raise UserError(
        f"OpenCV {cv2.__version__} comes without the Haar cascade of faces; "
        'run `pip install "opencv-python>=4.10,<5"`.'
    )
