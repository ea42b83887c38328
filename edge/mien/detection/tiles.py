"""Tiled detection: overlapping windows of a picture, each searched by itself.

Akyon et al., "Slicing Aided Hyper Inference and Fine-tuning for Small Object Detection", ICIP 2022.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import replace

import cv2
import numpy as np

from mien.boxes import FloatBox, center, has_inside, iou_matrix, nms
from mien.detection.base import Detection, Detector, Gray

TILES = 2  # windows each way in which small faces are looked for
MAX_SIDE = 1600  # px, to which a larger picture is reduced
TILE = 800  # px, a picture whose longer side is larger is searched in tiles as well
OVERLAP = 0.25  # of a tile's side that its neighbor shares: larger faces are seen in the whole
MISSING_SCORE = 0.15  # of a face that is seen in one of a picture and its mirror image
TIGHT = 128  # px; a smaller picture is likely to be little more than a face and gets a border
NMS_IOU, NMS_IOS = 0.4, 0.5

Area = tuple[int, int, int, int]  # left, top, width and height, px of the picture
Detect = Callable[[Gray], list[Detection]]


def windows(height: int, width: int, tiles: int = TILES) -> list[Area]:
    """Return left, top, width and height of `tiles` x `tiles` overlapping windows of a picture."""
    spans = tiles - OVERLAP * (tiles - 1)
    w, h = min(width, -int(-width // spans)), min(height, -int(-height // spans))
    steps = max(1, tiles - 1)
    return [
        (column * (width - w) // steps, row * (height - h) // steps, w, h)
        for row in range(tiles)
        for column in range(tiles)
    ]


def detect_window(detect: Detect, gray: Gray, area: Area) -> list[Detection]:
    """Return the detections in one window of a picture, without faces that its edge cuts."""
    left, top, width, height = area
    found = [moved(one, left, top) for one in detect(gray[top : top + height, left : left + width])]
    rows, columns = gray.shape
    inner = (left > 0, top > 0, left + width < columns, top + height < rows)

    def is_cut(box: FloatBox) -> bool:
        right, bottom = box[0] + box[2] - width, box[1] + box[3] - height
        beyond = (box[0] < left, box[1] < top, right > left, bottom > top)
        return any(edge and over for edge, over in zip(inner, beyond, strict=True))

    return [one for one in found if not is_cut(one.box)]


def detect_still(detector: Detector, gray: Gray, min_score: float | None = None) -> list[Detection]:
    """Return the faces of a still picture, uint8 [H, W], the best first.

    The picture is searched whole and in windows, smaller ones too where it is large, each time
    mirrored as well; `min_score` is by default the detector's `still_score`.
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

    def detect(part: Gray) -> list[Detection]:
        return _detect_mirrored(detector, part)

    found = detect(gray)
    for tiles in {TILES, TILES * -(-max(gray.shape) // TILE)}:
        for area in windows(gray.shape[0], gray.shape[1], tiles):
            found += detect_window(detect, gray, area)
    least = detector.still_score if min_score is None else min_score
    kept = suppress(one for one in found if one.score >= least)
    faces = [moved(one, -border, -border, 1 / factor) for one in kept]
    return [one for one in faces if has_inside((width, height), center(one.box))]


def _detect_mirrored(detector: Detector, gray: Gray) -> list[Detection]:
    """Return the detections of a picture and its mirror image, scores averaged as logits."""
    plain = detector.detect(gray)
    flipped = detector.detect(np.ascontiguousarray(gray[:, ::-1]))
    found = plain + [_mirrored(one, gray.shape[1]) for one in flipped]
    if not found:
        return []
    boxes, scores = np.array([one.box for one in found]), np.array([one.score for one in found])
    overlap = iou_matrix(boxes, boxes)
    overlap[: len(plain), : len(plain)] = overlap[len(plain) :, len(plain) :] = 0
    twins = np.where(overlap.max(1) >= NMS_IOU, scores[overlap.argmax(1)], MISSING_SCORE).tolist()
    pairs = zip(found, twins, strict=True)
    return suppress(replace(one, score=_mean_score(one.score, twin)) for one, twin in pairs)


def _mean_score(one: float, other: float) -> float:
    """Return the score of the mean logit of two scores."""
    odds = math.sqrt(one / max(1 - one, 1e-6) * other / max(1 - other, 1e-6))
    return odds / (1 + odds)


def _mirrored(found: Detection, width: int) -> Detection:
    left, top, w, h = found.box
    points = found.landmarks
    if points is not None:
        turned = [(width - x, y) for x, y in points]
        points = tuple(turned[index] for index in (1, 0, 2, 4, 3))  # right is left now
    return replace(found, box=(width - left - w, top, w, h), landmarks=points)


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
