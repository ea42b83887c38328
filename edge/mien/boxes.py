"""Box types and overlap measures."""

from __future__ import annotations

from collections.abc import Sequence

Box = tuple[int, int, int, int]  # left, top, width, height in px of the picture
Square = tuple[float, float, float]  # center x, center y, side in px of the picture


def iou(a: Sequence[float], b: Sequence[float]) -> float:
    """Return the intersection over union of two boxes (left, top, width, height), 0 to 1."""
    common = _intersection(a, b)
    return common / (a[2] * a[3] + b[2] * b[3] - common) if common else 0.0


def square_iou(a: Square, b: Square) -> float:
    """Return the intersection over union of two squares, 0 to 1."""
    return iou(square_to_box(a), square_to_box(b))


def ios(a: Square, b: Square) -> float:
    """Return the intersection of two squares over the area of the smaller one, 0 to 1."""
    return _intersection(square_to_box(a), square_to_box(b)) / min(a[2], b[2]) ** 2


def square_to_box(square: Square) -> tuple[float, float, float, float]:
    """Return left, top, width and height of a square."""
    x, y, side = square
    return x - side / 2, y - side / 2, side, side


def _intersection(a: Sequence[float], b: Sequence[float]) -> float:
    width = min(a[0] + a[2], b[0] + b[2]) - max(a[0], b[0])
    height = min(a[1] + a[3], b[1] + b[3]) - max(a[1], b[1])
    return width * height if width > 0 and height > 0 else 0.0


def clip_box(box: Box, width: int, height: int) -> Box:
    """Return the part of a box inside a picture of `width` x `height` px, at least 1x1 px."""
    x, y, w, h = box
    left, top = min(max(0, x), width - 1), min(max(0, y), height - 1)
    right, bottom = max(left + 1, min(width, x + w)), max(top + 1, min(height, y + h))
    return left, top, right - left, bottom - top
