"""Finds faces in a gray picture with OpenCV's Haar cascade."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np
import numpy.typing as npt

from mien.boxes import Box
from mien.errors import UserError

__all__ = ["Box", "Detector", "HaarDetector", "load_cascade", "without_nested"]

# Measured on 300 FER-2013 faces of 90 to 260 px set into photographs of 640x480 px, searched at
# half size, scale 1.2, three neighbours: "default" finds 73 % with 18 false boxes, "alt2" 73 % with
# none in three quarters of the time; with five neighbours "default" finds 69 % and 15 false ones.
CASCADE = "haarcascade_frontalface_alt2.xml"
DEBIAN_CASCADES = Path("/usr/share/opencv4/haarcascades")  # Debian keeps them outside cv2.data
WINDOW = 20  # px, the smallest face that the cascade knows
TIGHT = 128  # px; a picture whose longer side is smaller is likely to be little more than a face


class Detector(Protocol):
    """Anything that finds faces."""

    def detect(self, gray: npt.NDArray[np.uint8]) -> list[Box]:
        """Return the boxes of the faces in a gray picture, uint8 [H, W], in its own px."""
        ...


class HaarDetector:
    """The cascade of Viola and Jones (CVPR 2001) as OpenCV ships it, loaded once.

    `scale` is the step between searched sizes, `neighbours` how many raw hits make a face,
    `smallest` the smallest face as a fraction of the picture's shorter side, and `longest_side`
    (px) the size to which a larger picture is reduced before the search. The defaults suit video
    of 640x480 px. Raises UserError where OpenCV has no cascades.
    """

    def __init__(
        self,
        scale: float = 1.2,
        neighbours: int = 3,
        smallest: float = 0.1,
        longest_side: int = 320,
    ) -> None:
        self.scale = scale
        self.neighbours = neighbours
        self.smallest = smallest
        self.longest_side = longest_side
        self._cascade = load_cascade(CASCADE)

    def detect(self, gray: npt.NDArray[np.uint8]) -> list[Box]:
        """Return the boxes of the faces in a gray picture, uint8 [H, W], largest first."""
        height, width = gray.shape
        longer = max(height, width)
        border = 0
        factor = min(1.0, self.longest_side / longer)
        if longer < TIGHT:
            # The cascade wants to see something around a face: of 48 px FER-2013 pictures it finds
            # 55 % as they are, 77 % doubled and with a repeated border.
            border, factor = longer // 4, TIGHT / longer
            gray = np.pad(gray, border, mode="edge")
        size = tuple(max(1, round(side * factor)) for side in gray.shape[::-1])
        if factor != 1:
            method = cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR
            gray = np.asarray(cv2.resize(gray, size, interpolation=method), np.uint8)
        side = max(WINDOW, round(min(gray.shape) * self.smallest))
        found = self._cascade.detectMultiScale(
            gray, scaleFactor=self.scale, minNeighbors=self.neighbours, minSize=(side, side)
        )
        boxes = [_to_original(box, factor, border, width, height) for box in found]
        return without_nested(boxes)


def _to_original(box: Iterable[int], factor: float, border: int, width: int, height: int) -> Box:
    """Return a box of the searched picture in px of the original, cut off at its edges."""
    x, y, w, h = (int(v) / factor for v in box)
    left, top = max(0, round(x - border)), max(0, round(y - border))
    right, bottom = min(width, round(x + w - border)), min(height, round(y + h - border))
    return left, top, max(1, right - left), max(1, bottom - top)


def without_nested(boxes: Sequence[Box]) -> list[Box]:
    """Drop boxes that lie for the most part inside a larger one: no face stands in another."""
    kept: list[Box] = []
    for box in largest_first(boxes):
        x, y, w, h = box
        if all(
            2 * max(0, min(x + w, X + W) - max(x, X)) * max(0, min(y + h, Y + H) - max(y, Y))
            <= w * h
            for X, Y, W, H in kept
        ):
            kept.append(box)
    return kept


def largest_first(boxes: Iterable[Box]) -> list[Box]:
    """Return the boxes in the order in which every detector gives them."""
    return sorted(boxes, key=lambda b: (-b[2] * b[3], b))


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
