"""Eye crops: the network's input, cut out of a gray frame by the two eye landmarks.

The same crop is used by training, conversion and device.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt

Gray = npt.NDArray[np.uint8]  # [h, w]

WIDTH, HEIGHT = 40, 24  # px, the network's input
# Width of the crop as a share of the distance between the eyes: the lids, the corners and the
# lower edge of the brow.
CROP_WIDTH = 0.7
MAX_SHRINK = 2.0  # bilinear sampling skips pixels beyond it, so the frame is shrunk by area first


def eye_crops(gray: Gray, eyes: Sequence[tuple[float, float]]) -> Gray:
    """Return the crops of both eyes, uint8 [2, HEIGHT, WIDTH], turned level by the eyes' roll.

    Args:
        gray: the frame, uint8 [h, w].
        eyes: centers of the left and the right eye as they stand in the picture, px.
    """
    (left_x, left_y), (right_x, right_y) = eyes
    across, down = right_x - left_x, right_y - left_y
    scale = CROP_WIDTH * max(1.0, math.hypot(across, down)) / WIDTH  # frame px per crop px
    angle = math.atan2(down, across)
    x0 = y0 = 0
    shrink = 1.0
    if scale > MAX_SHRINK:
        reach = scale * WIDTH
        x0 = max(0, int(min(left_x, right_x) - reach))
        y0 = max(0, int(min(left_y, right_y) - reach))
        x1 = min(gray.shape[1], int(max(left_x, right_x) + reach) + 1)
        y1 = min(gray.shape[0], int(max(left_y, right_y) + reach) + 1)
        if x1 - x0 > 1 and y1 - y0 > 1:
            shrink = scale / 1.5
            size = max(1, round((x1 - x0) / shrink)), max(1, round((y1 - y0) / shrink))
            gray = np.asarray(
                cv2.resize(gray[y0:y1, x0:x1], size, interpolation=cv2.INTER_AREA), np.uint8
            )
        else:
            x0 = y0 = 0
    scale /= shrink
    crops = np.empty((2, HEIGHT, WIDTH), np.uint8)
    for crop, (x, y) in zip(crops, eyes, strict=True):
        center = (x - x0 + 0.5) / shrink - 0.5, (y - y0 + 0.5) / shrink - 0.5
        matrix = affine(center, scale, angle)
        cv2.warpAffine(
            gray,
            matrix,
            (WIDTH, HEIGHT),
            dst=crop,
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_REPLICATE,
        )
    return crops


def affine(center: tuple[float, float], scale: float, angle: float) -> npt.NDArray[np.float64]:
    """Return the matrix [2, 3] from crop pixels to picture pixels.

    Args:
        center: of the crop, px of the picture.
        scale: picture pixels per crop pixel.
        angle: rad, from the picture's rows to the crop's.
    """
    cos, sin = scale * math.cos(angle), scale * math.sin(angle)
    matrix = np.array([[cos, -sin, 0.0], [sin, cos, 0.0]])
    middle = np.array([(WIDTH - 1) / 2, (HEIGHT - 1) / 2])
    matrix[:, 2] = np.asarray(center) - matrix[:, :2] @ middle
    return matrix
