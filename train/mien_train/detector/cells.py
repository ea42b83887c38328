"""The cells of the detector's input: where each of its outputs looks."""

from __future__ import annotations

import math

import numpy as np

STRIDES = (8, 16, 32)  # pixels of the input a cell


def cell_centers(height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Centers and strides of the cells of a ``height`` x ``width`` input.

    Returns ``float32 [cells, 2]`` (x, y in pixels) and ``float32 [cells]``; stride 8 first, each
    level row by row.
    """
    centers, strides = [], []
    for stride in STRIDES:
        x, y = np.meshgrid(
            np.arange(math.ceil(width / stride)), np.arange(math.ceil(height / stride))
        )
        centers.append((np.stack([x.ravel(), y.ravel()], axis=1) + 0.5) * stride)
        strides.append(np.full(x.size, stride))
    return np.concatenate(centers).astype("float32"), np.concatenate(strides).astype("float32")
