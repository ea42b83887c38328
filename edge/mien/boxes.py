"""Box arithmetic: overlaps, non-maximum suppression, clipping and the classifier's square.

A box is (left, top, width, height) in px of the picture; arrays of boxes are float [n, 4].
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Box = tuple[int, int, int, int]  # what is reported
FloatBox = tuple[float, float, float, float]  # what is detected and tracked
Landmarks = tuple[tuple[float, float], ...]  # points, px of the picture
Floats = npt.NDArray[np.floating]

# From a face's upright box (forehead to chin) to the square that the classifier is shown. Of 1,350
# whole pictures of FER-2013, which are such squares, the side is 1.01 of the box's height and the
# middle the box's (medians). On 563 news photographs sides of 0.88 to 1.0 of it differ by a point.
SQUARE_SIDE = 1.0  # of the box's height
# From the square in which OpenCV's cascade sees a face to its upright box: medians of 420 faces of
# real photographs, half of them within 6 %.
CASCADE_SIDE, CASCADE_SHIFT = 0.93, -0.015  # of the box's height; of the square's middle, down
ASPECT = 0.77  # width over height


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
    both, area_a, area_b = _intersections(a, b)
    return np.asarray(both / np.maximum(area_a + area_b - both, 1e-9), np.float64)


def nms(
    boxes: npt.ArrayLike, scores: npt.ArrayLike, max_iou: float, max_ios: float = 1.0
) -> list[int]:
    """Return the indices that greedy non-maximum suppression keeps, the best score first.

    Of boxes [n, 4] that overlap a better one by an IoU above `max_iou`, or by an intersection over
    the smaller above `max_ios`, none is kept.
    """
    boxes = np.asarray(boxes, np.float64).reshape(-1, 4)
    order = np.argsort(-np.asarray(scores, np.float64), kind="stable")
    both, area_a, area_b = _intersections(boxes[order], boxes[order])
    overlap = both > max_iou * np.maximum(area_a + area_b - both, 1e-9)
    overlap |= both > max_ios * np.minimum(area_a, area_b) + 1e-9
    kept: list[int] = []
    suppressed = np.zeros(len(order), bool)
    for rank, index in enumerate(order):
        if not suppressed[rank]:
            kept.append(int(index))
            suppressed |= overlap[rank]
    return kept


def _intersections(a: Floats, b: Floats) -> tuple[Floats, Floats, Floats]:
    """Return the shared areas [n, m] of boxes, and the areas of a [n, 1] and b [1, m]."""
    a, b = np.asarray(a, np.float64).reshape(-1, 4), np.asarray(b, np.float64).reshape(-1, 4)
    low = np.maximum(a[:, None, :2], b[None, :, :2])
    high = np.minimum(a[:, None, :2] + a[:, None, 2:], b[None, :, :2] + b[None, :, 2:])
    both = np.prod(np.clip(high - low, 0, None), axis=2)
    return both, np.prod(a[:, 2:], axis=1)[:, None], np.prod(b[:, 2:], axis=1)[None]


def clip_box(box: Sequence[float], width: int, height: int) -> Box:
    """Return the part of a box inside a picture of `width` x `height` px, at least 1x1 px."""
    x, y, w, h = box
    left, top = min(max(0, round(x)), width - 1), min(max(0, round(y)), height - 1)
    right, bottom = max(left + 1, min(width, round(x + w))), max(top + 1, min(height, round(y + h)))
    return left, top, right - left, bottom - top


def face_to_square(box: Sequence[float]) -> Box:
    """Return the square that the classifier is shown of a face's upright box."""
    x, y, w, h = box
    side = SQUARE_SIDE * h
    left, top = x + (w - side) / 2, y + (h - side) / 2
    return round(left), round(top), max(1, round(side)), max(1, round(side))


def square_to_face(square: Sequence[float]) -> FloatBox:
    """Return the upright box of a face that a cascade has seen in a square."""
    x, y, side, _ = square
    height = side / CASCADE_SIDE
    width = ASPECT * height
    middle = y + side / 2 - CASCADE_SHIFT * height
    return x + (side - width) / 2, middle - height / 2, width, height


def has_inside(size: tuple[int, int], point: tuple[float, float]) -> bool:
    """Return whether a point is in a picture of (width, height) px."""
    return 0 <= point[0] < size[0] and 0 <= point[1] < size[1]


def center(box: FloatBox) -> tuple[float, float]:
    """Return the middle of a box, px."""
    return box[0] + box[2] / 2, box[1] + box[3] / 2


def side(box: FloatBox) -> float:
    """Return the side, px, of the square of a box's area."""
    return float((box[2] * box[3]) ** 0.5)
