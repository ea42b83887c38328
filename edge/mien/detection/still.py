"""Finds the faces of a still picture, with more care than a film's frame is given."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

import cv2
import numpy as np
import numpy.typing as npt

from mien.boxes import Box, Square, ios, square_iou
from mien.detection.haar import largest_first
from mien.detection.ssd import ACROSS, AROUND, DOWN, Scan, distinct
from mien.detection.still_verifier import Judge
from mien.pyramid import Gray, Pyramid

LONGEST = 800  # px, to which a larger picture is reduced
TIGHT = 128  # px; a picture whose longer side is smaller is likely to be little more than a face
COARSE = 0.7  # times the scale at which the picture just fits: very large faces
LAP = 48  # px, what two neighbouring parts share: a larger face is seen in the coarser view
LEAST = -2.5  # log odds of the scan from which a place is looked at
MOST = 64  # places looked at, at most
VOTES = 0.5  # intersection over union from which what a scan says is of the same face
# What a place needs: the judge's log odds and WEIGHT times those of the scan.
WEIGHT, ENOUGH = 0.7, 0.0
# Of the smaller of two places, up to which both may be faces: one hides the other a little.
SHARED = 0.4


class PhotoDetector:
    """Two networks, loaded once. Not for use from several threads at once.

    A picture is scanned whole and in parts at twice the size and more, each mirrored as well, and
    the other network judges every place that may be a face.
    """

    def __init__(self) -> None:
        self._scan = Scan()
        self._judge = Judge()

    def detect(self, gray: npt.NDArray[np.uint8]) -> list[Box]:
        """Return the boxes of the faces in a gray picture, uint8 [H, W], largest first."""
        height, width = gray.shape
        longer = max(height, width)
        border, factor = 0, min(1.0, LONGEST / longer)
        if longer < TIGHT:
            # A face wants some surroundings.
            border, factor = longer // 4, TIGHT / longer
            gray = np.pad(gray, border, mode="edge")
        if factor != 1:
            method = cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR
            size = [max(1, round(side * factor)) for side in gray.shape[::-1]]
            gray = np.asarray(cv2.resize(gray, size, interpolation=method), np.uint8)
        boxes = [_box(place, factor, border, width, height) for place in self._places(gray)]
        return largest_first(box for box in boxes if box is not None)

    def _places(self, gray: Gray) -> list[Square]:
        pyramid = Pyramid(gray)
        found = proposed(self._scan, gray)
        judged = [
            (WEIGHT * odds + self._judge.at(pyramid, place), place)
            for place, odds in distinct(found, MOST)
        ]
        return apart(
            (place, _voted(place, found))
            for odds, place in sorted(judged, reverse=True)
            if odds >= ENOUGH
        )


def apart(places: Iterable[tuple[Square, Square]]) -> list[Square]:
    """Return the second of each pair, if neither of it is much the same as of a pair before.

    The surest come first, so that a doubtful place around a face does not take it along, nor one
    in the middle of it count as another.
    """
    kept: list[tuple[Square, Square]] = []
    for pair in places:
        if all(ios(a, b) <= SHARED for other in kept for a, b in zip(pair, other, strict=True)):
            kept.append(pair)
    return [voted for _, voted in kept]


def proposed(scan: Scan, gray: Gray) -> list[tuple[Square, float]]:
    """Return what a scan sees in a whole picture and in parts of it, the likeliest first.

    Several of them are of the same face.
    """
    return sorted(_seen(scan, gray), key=lambda pair: -pair[1])


def _seen(scan: Scan, gray: Gray) -> Iterator[tuple[Square, float]]:
    height, width = gray.shape
    whole = min(ACROSS / width, DOWN / height)
    scales = [COARSE * whole, whole]
    while scales[-1] < 1:
        scales.append(min(1.0, 2 * scales[-1]))
    for scale in scales:
        size = max(1, round(width * scale)), max(1, round(height * scale))
        method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
        small = np.asarray(cv2.resize(gray, size, interpolation=method), np.uint8)
        for top in _starts(small.shape[0], DOWN):
            for left in _starts(small.shape[1], ACROSS):
                part = small[top : top + DOWN, left : left + ACROSS]
                view = np.full((DOWN, ACROSS), AROUND, np.uint8)
                view[: part.shape[0], : part.shape[1]] = part
                for (x, y, side), odds in scan.view(view, LEAST):
                    yield ((left + x) / scale, (top + y) / scale, side / scale), odds
                mirrored = np.ascontiguousarray(view[:, ::-1])
                for (x, y, side), odds in scan.view(mirrored, LEAST):
                    yield ((left + ACROSS - x) / scale, (top + y) / scale, side / scale), odds


def _voted(place: Square, found: list[tuple[Square, float]]) -> Square:
    """Return the mean of what all scans said of a place, each by its odds (box voting).

    Gidaris & Komodakis, "Object Detection via a Multi-Region & Semantic Segmentation-Aware CNN
    Model", ICCV 2015. The judge says what is a face, the scan better where.
    """
    votes = [(other, math.exp(odds)) for other, odds in found if square_iou(other, place) > VOTES]
    if not votes:
        return place
    x, y, side = np.average([other for other, _ in votes], 0, [weight for _, weight in votes])
    return float(x), float(y), float(side)


def _starts(length: int, part: int) -> list[int]:
    """Return where parts begin that cover a length (px) and overlap."""
    if length <= part:
        return [0]
    number = -(-(length - LAP) // (part - LAP))
    return [round(i * (length - part) / (number - 1)) for i in range(number)]


def _box(place: Square, factor: float, border: int, width: int, height: int) -> Box | None:
    """Return a place as a box of the original picture, cut off at its edges."""
    x, y, side = (value / factor for value in place)
    x, y = x - border - side / 2, y - border - side / 2
    left, top = max(0, round(x)), max(0, round(y))
    right, bottom = min(width, round(x + side)), min(height, round(y + side))
    if right <= left or bottom <= top:
        return None
    return left, top, right - left, bottom - top
