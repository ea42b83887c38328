"""Tiled detection: a still picture whole, at twice the size, and in overlapping tiles.

Akyon et al., "Slicing Aided Hyper Inference and Fine-tuning for Small Object Detection", ICIP 2022.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import cv2
import numpy as np

from mien.boxes import center, nms
from mien.detection.base import Detection, Detector, Gray

MAX_SIDE = 1600  # px, to which a larger picture is reduced
TILE = 800  # px, a picture whose longer side is larger is detected in tiles as well
OVERLAP = 0.2  # of a tile's side; a larger face is seen in the whole picture
TIGHT = 128  # px; a smaller picture is likely to be little more than a face and gets a border
MIN_SCORE = 0.7  # of a face that is looked at once; in a video detections confirm each other
NMS_IOU, NMS_IOS = 0.4, 0.7


def detect_still(
    detector: Detector, gray: Gray, min_score: float = MIN_SCORE
) -> list[Detection]:
    """Return the faces of a still picture, uint8 [H, W], with a score from `min_score`, best first.

    Works with every detector; takes five times as long as one detection, more for large pictures.
    """
    height, width = gray.shape
    longer = max(height, width)
    border, factor = 0, min(1.0, MAX_SIDE / longer)
    if longer < TIGHT:
        border = longer // 2
        gray = np.pad(gray, border, mode="edge")
    if factor < 1:
        size = [max(1, round(side * factor)) for side in gray.shape[::-1]]
        gray = np.asarray(cv2.resize(gray, size, interpolation=cv2.INTER_AREA), np.uint8)
    found = [one for one in _views(detector, gray) if one.score >= min_score]
    kept = nms([one.box for one in found], [one.score for one in found], MIN_SCORE = 0.7  # of a face that is looked at once; in a video detections confirm each other
NMS_IOU, NMS_IOS)
    moved = [_moved(found[index], -border, -border, 1 / factor) for index in kept]
    middles = [center(one.box) for one in moved]
    return [
        one
        for one, (x, y) in zip(moved, middles, strict=True)
        if 0 <= x < width and 0 <= y < height
    ]


def _views(detector: Detector, gray: Gray) -> Iterator[Detection]:
    yield from detector.detect(gray, 1.0)
    yield from detector.detect(gray, 2.0)
    height, width = gray.shape
    parts = -(-max(height, width) // TILE)
    if parts == 1:
        return
    tile = round(max(height, width) / (parts - OVERLAP * (parts - 1)))
    for top in _starts(height, tile):
        for left in _starts(width, tile):
            part = np.ascontiguousarray(gray[top : top + tile, left : left + tile])
            for one in detector.detect(part, 2.0):
                yield _moved(one, left, top, 1.0)


def _starts(length: int, tile: int) -> list[int]:
    """Return where tiles begin that cover a length (px) and overlap."""
    if length <= tile:
        return [0]
    number = max(2, -(-round(length - OVERLAP * tile) // round((1 - OVERLAP) * tile)))
    return [round(index * (length - tile) / (number - 1)) for index in range(number)]


def _moved(found: Detection, x: float, y: float, factor: float) -> Detection:
    left, top, width, height = found.box
    box = ((left + x) * factor, (top + y) * factor, width * factor, height * factor)
    points = found.landmarks
    if points is not None:
        points = tuple(((px + x) * factor, (py + y) * factor) for px, py in points)
    return replace(found, box=box, landmarks=points)
