"""Box arithmetic: overlaps, non-maximum suppression, clipping and the classifier's square.

A box is (left, top, width, height) in px of the picture; arrays of boxes are float [n, 4].
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Box = tuple[float, float, float, float]
PixelBox = tuple[int, int, int, int]
Floats = npt.NDArray[np.floating]
Landmarks = tuple[tuple[float, float], ...]  # points, px of the picture


def iou(a: Sequence[float], b: Sequence[float]) -> float:
    """Return intersection over union of two boxes, 0 to 1."""
    both = intersection(a, b)
    return both / (a[2] * a[3] + b[2] * b[3] - both) if both else 0.0


def ios(a: Sequence[float], b: Sequence[float]) -> float:
    """Return intersection over the smaller of two boxes, 0 to 1."""
    both = intersection(a, b)
    return both / min(a[2] * a[3], b[2] * b[3]) if both else 0.0


def intersection(a: Sequence[float], b: Sequence[float]) -> float:
    """Return the area, px, that two boxes share."""
    width = min(a[0] + a[2], b[0] + b[2]) - max(a[0], b[0])
    height = min(a[1] + a[3], b[1] + b[3]) - max(a[1], b[1])
    return width * height if width > 0 and height > 0 else 0.0


def iou_matrix(a: Floats, b: Floats) -> npt.NDArray[np.float64]:
    """Return the IoU, float64 [n, m], of every box of a [n, 4] with every box of b [m, 4]."""
    a, b = np.asarray(a, np.float64).reshape(-1, 4), np.asarray(b, np.float64).reshape(-1, 4)
    low = np.maximum(a[:, None, :2], b[None, :, :2])
    high = np.minimum(a[:, None, :2] + a[:, None, 2:], b[None, :, :2] + b[None, :, 2:])
    both = np.prod(np.clip(high - low, 0, None), axis=2)
    union = np.prod(a[:, 2:], axis=1)[:, None] + np.prod(b[:, 2:], axis=1)[None] - both
    return np.asarray(both / np.maximum(union, 1e-9), np.float64)


def nms(boxes: Floats, scores: Floats, max_iou: float) -> list[int]:
    """Return the indices that greedy non-maximum suppression keeps, the best score first.

    Of boxes [n, 4] that overlap a better one by more than `max_iou` none is kept.
    """
    order = np.argsort(-np.asarray(scores), kind="stable")
    overlap = iou_matrix(boxes[order], boxes[order]) > max_iou
    kept: list[int] = []
    suppressed = np.zeros(len(order), bool)
    for rank, index in enumerate(order):
        if not suppressed[rank]:
            kept.append(int(index))
            suppressed |= overlap[rank]
    return kept


def clip(box: Box, width: int, height: int) -> Box | None:
    """Return the part of a box inside a picture of width x height px, None where there is none."""
    left, top = max(0.0, box[0]), max(0.0, box[1])
    right, bottom = min(float(width), box[0] + box[2]), min(float(height), box[1] + box[3])
    return (left, top, right - left, bottom - top) if right > left and bottom > top else None


def to_pixels(box: Box, width: int, height: int) -> PixelBox:
    """Return the part of a box inside a picture of width x height px, rounded, 1 px at least."""
    x, y, w, h = box
    left, top = (min(max(0, round(v)), limit - 1) for v, limit in ((x, width), (y, height)))
    right, bottom = max(left + 1, min(width, round(x + w))), max(top + 1, min(height, round(y + h)))
    return left, top, right - left, bottom - top


def center(box: Box) -> tuple[float, float]:
    """Return the middle of a box, px."""
    return box[0] + box[2] / 2, box[1] + box[3] / 2
