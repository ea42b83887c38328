"""Assignment of cells to faces, and the encoding of boxes and landmarks.

A box is encoded relative to its cell as ``(dx, dy, log w, log h)`` in strides, ``dx, dy`` from the
cell's center to the box's; a landmark as ``(dx, dy)`` in strides from the cell's center.
"""

from __future__ import annotations

import numpy as np

from mien_train.detector.augment import View
from mien_train.detector.cells import STRIDES

# Faces (pixels, root of the area) that each stride learns; the ranges overlap.
SMALLEST_SIZE = {8: 0.0, 16: 28.0, 32: 64.0}
LARGEST_SIZE = {8: 36.0, 16: 80.0, 32: np.inf}
RADIUS = (1.0, 1.5)  # strides from a face's center to the cells that learn it: least, most
# Columns of `assign`: is the cell positive, does its score count, does it have landmarks.
POSITIVE, COUNTS, MARKED, BOX, LANDMARKS = 0, 1, 2, slice(3, 7), slice(7, 17)
COLUMNS = 17


def assign(view: View, centers: np.ndarray, strides: np.ndarray) -> np.ndarray:
    """Training targets of every cell, float32 [cells, COLUMNS].

    A face is learnt by the cells near its center at the strides of its size; where two faces want
    a cell, the smaller one gets it. The score of cells inside ignored regions does not count.
    """
    targets = np.zeros((len(centers), COLUMNS), "float32")
    targets[:, COUNTS] = 1.0
    for box in view.ignored:
        inside = np.all((centers >= box[:2]) & (centers <= box[:2] + box[2:]), axis=1)
        targets[inside, COUNTS] = 0.0
        nearest = np.abs(centers - (box[:2] + box[2:] / 2)).max(axis=1) < strides / 2
        targets[nearest, COUNTS] = 0.0
    sizes = np.sqrt(view.faces[:, 2] * view.faces[:, 3])
    low, high = np.empty_like(strides), np.empty_like(strides)
    for stride in STRIDES:
        low[strides == stride], high[strides == stride] = (
            SMALLEST_SIZE[stride],
            LARGEST_SIZE[stride],
        )
    for index in np.argsort(-sizes, kind="stable"):
        box, size = view.faces[index], sizes[index]
        center = box[:2] + box[2:] / 2
        radius = np.clip(size / 2 / strides, *RADIUS) * strides
        near = np.abs(centers - center).max(axis=1) < radius
        cells = near & (low <= size) & (size < high)
        targets[cells, POSITIVE] = targets[cells, COUNTS] = 1.0
        targets[cells, BOX] = encode_box(box, centers[cells], strides[cells])
        marks = view.landmarks[index]
        known = bool(np.isfinite(marks).all())
        targets[cells, MARKED] = known
        if known:
            away = (marks[None] - centers[cells][:, None]) / strides[cells][:, None, None]
            targets[cells, LANDMARKS] = away.reshape(-1, 10)
    return targets


def encode_box(box: np.ndarray, centers: np.ndarray, strides: np.ndarray) -> np.ndarray:
    """``box`` (left, top, width, height) as each cell has to give it, float32 [cells, 4]."""
    away = (box[:2] + box[2:] / 2 - centers) / strides[:, None]
    return np.concatenate([away, np.log(box[2:] / strides[:, None])], axis=1).astype("float32")


def decode(
    boxes: np.ndarray, landmarks: np.ndarray, centers: np.ndarray, strides: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The inverse: boxes float32 [cells, 4] (left, top, width, height), landmarks [cells, 5, 2]."""
    sizes = np.exp(boxes[:, 2:]) * strides[:, None]
    corners = centers + boxes[:, :2] * strides[:, None] - sizes / 2
    marks = centers[:, None] + landmarks.reshape(-1, 5, 2) * strides[:, None, None]
    return np.concatenate([corners, sizes], axis=1), marks
