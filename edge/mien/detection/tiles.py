"""Tiled detection: overlapping windows of a picture, each searched by itself.

Akyon et al., "Slicing Aided Hyper Inference and Fine-tuning for Small Object Detection", ICIP 2022.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import cv2
import numpy as np

from mien.boxes import center, nms
from mien.detection.base import Detection, Detector, Gray

MIN_SCORE = 0.7  # of a face that is looked at once; in a video detections confirm each other
FINE_SCALE = 2.0  # at which stills are searched beside the detector's own size
MAX_SIDE = 1600  # px, to which a larger picture is reduced
TILE = 800  # px, a picture whose longer side is larger is searched in tiles as well
OVERLAP = 0.25  # of a tile's side that its neighbor shares: larger faces are seen in the whole
TIGHT = 128  # px; a smaller picture is likely to be little more than a face and gets a border
NMS_IOU, NMS_IOS = 0.4, 0.7


def windows(height: int, width: int, tiles: int) -> list[tuple[int, int, int, int]]:
    """Return left, top, width and height of `tiles` x `tiles` overlapping windows of a picture."""
    spans = tiles - OVERLAP * (tiles - 1)
    w, h = min(width, -int(-width // spans)), min(height, -int(-height // spans))
    steps = max(1, tiles - 1)
    return [
        (column * (width - w) // steps, row * (height - h) // steps, w, h)
        for row in range(tiles)
        for column in range(tiles)
    ]


def detect_still(detector: Detector, gray: Gray, min_score: float = MIN_SCORE) -> list[Detection]:
    """Return the faces of a still picture, uint8 [H, W], with a score from `min_score`, best first.

    The picture is searched whole, at FINE_SCALE, and in tiles where it is large. Works with every
    detector.
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
    found = detector.detect(gray) + detector.detect(gray, FINE_SCALE)
    parts = -(-max(gray.shape) // TILE)
    if parts > 1:
        for left, top, w, h in windows(gray.shape[0], gray.shape[1], parts):
            tile = np.ascontiguousarray(gray[top : top + h, left : left + w])
            found += [moved(one, left, top) for one in detector.detect(tile, FINE_SCALE)]
    kept = suppress(one for one in found if one.score >= min_score)
    faces = [moved(one, -border, -border, 1 / factor) for one in kept]
    middles = [center(one.box) for one in faces]
    inside = [0 <= x < width and 0 <= y < height for x, y in middles]
    return [one for one, kept_one in zip(faces, inside, strict=True) if kept_one]


def suppress(detections: Iterable[Detection]) -> list[Detection]:
    """Return the detections that non-maximum suppression keeps, the best first."""
    found = list(detections)
    kept = nms([one.box for one in found], [one.score for one in found], NMS_IOU, NMS_IOS)
    return [found[index] for index in kept]


def moved(found: Detection, x: float, y: float, factor: float = 1.0) -> Detection:
    """Return a detection moved by x, y px and then scaled."""
    left, top, width, height = found.box
    box = ((left + x) * factor, (top + y) * factor, width * factor, height * factor)
    points = found.landmarks
    if points is not None:
        points = tuple(((px + x) * factor, (py + y) * factor) for px, py in points)
    return replace(found, box=box, landmarks=points)
