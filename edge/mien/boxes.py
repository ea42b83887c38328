"""How far two boxes, or two square places, are the same."""

from __future__ import annotations

from collections.abc import Sequence

Place = tuple[float, float, float]  # centre x, centre y, side: px of the frame


def iou(a: Sequence[float], b: Sequence[float]) -> float:
    """Return intersection over union of two boxes (left, top, width, height), 0 to 1."""
    both = _both(a, b)
    if not both:
        return 0.0
    return both / (a[2] * a[3] + b[2] * b[3] - both)


def overlap(a: Place, b: Place) -> float:
    """Return intersection over union of two squares."""
    return iou(_box(a), _box(b))


def shared(a: Place, b: Place) -> float:
    """Return how much of the smaller of two squares is in the other one, 0 to 1."""
    return _both(_box(a), _box(b)) / min(a[2], b[2]) ** 2


def _box(place: Place) -> tuple[float, float, float, float]:
    x, y, side = place
    return x - side / 2, y - side / 2, side, side


def _both(a: Sequence[float], b: Sequence[float]) -> float:
    width = min(a[0] + a[2], b[0] + b[2]) - max(a[0], b[0])
    height = min(a[1] + a[3], b[1] + b[3]) - max(a[1], b[1])
    return width * height if width > 0 and height > 0 else 0.0
