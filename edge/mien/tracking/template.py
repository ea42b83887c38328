"""Template matching: follows a face from frame to frame by its own small picture."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from mien.boxes import FloatBox, center, side
from mien.pyramid import Gray, Pyramid

SIZE = 16  # px, side of a template
INNER = 0.6  # part of the face's side that it shows: eyes to mouth, no background
REACH = 0.3  # sides that a face may be off its predicted place
# What tells people apart is a larger part, finer, compared at sizes and places around: detections
# err so far.
APPEARANCE_SIZE = 20  # px
APPEARANCE_INNER = 0.75
APPEARANCE_REACH = 0.16
APPEARANCE_SCALES = (0.88, 1.0, 1.14)
FLAT = 0.4  # share of a face's contrast under which a place is flat and NCC means nothing


def template(pyramid: Pyramid, box: FloatBox) -> Gray:
    """Return the template, uint8 [SIZE, SIZE], of the face in a box."""
    return pyramid.view(*center(box), INNER * side(box), SIZE)


def match_template(pyramid: Pyramid, known: Gray, box: FloatBox) -> tuple[float, float, float]:
    """Return the middle (x, y, px) where a template fits best around a box, and its NCC."""
    x, y = center(box)
    pixel = INNER * side(box) / SIZE  # px of the frame per pixel of the template
    reach = round(REACH * side(box) / pixel)
    size = SIZE + 2 * reach
    view = pyramid.view(x, y, size * pixel, size)
    ncc = cv2.matchTemplate(view, known, cv2.TM_CCOEFF_NORMED)
    _, best, _, (column, row) = cv2.minMaxLoc(ncc)
    right = subpixel_peak(ncc[row, :], column) - reach
    down = subpixel_peak(ncc[:, column], row) - reach
    return x + pixel * right, y + pixel * down, best


def subpixel_peak(values: npt.NDArray[np.generic], at: int) -> float:
    """Return the top of the parabola through a maximum and its two neighbors."""
    if not 0 < at < len(values) - 1:
        return float(at)
    before, here, after = (float(v) for v in values[at - 1 : at + 2])
    bend = before - 2 * here + after
    return at + 0.5 * (before - after) / bend if bend < 0 else float(at)


def appearance(pyramid: Pyramid, box: FloatBox) -> Gray:
    """Return the picture by which a face is known again, uint8 [20, 20]."""
    return pyramid.view(*center(box), APPEARANCE_INNER * side(box), APPEARANCE_SIZE)


def similarity(pyramid: Pyramid, known: Gray, box: FloatBox) -> float:
    """Return how much the face in a box looks like an appearance: NCC, -1 to 1."""
    x, y = center(box)
    best = -1.0
    for scale in APPEARANCE_SCALES:
        pixel = APPEARANCE_INNER * side(box) * scale / APPEARANCE_SIZE
        size = APPEARANCE_SIZE + 2 * round(APPEARANCE_REACH * side(box) / pixel)
        view = pyramid.view(x, y, size * pixel, size)
        if scale == 1.0 and float(np.std(view)) < FLAT * float(np.std(known)):
            return -1.0
        best = max(best, cv2.minMaxLoc(cv2.matchTemplate(view, known, cv2.TM_CCOEFF_NORMED))[1])
    return best
