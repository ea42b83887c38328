"""Crops of eyes and mouth: the networks' inputs, cut out of a gray frame by landmarks.

Training, conversion and device use the same crops.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

Gray = npt.NDArray[np.uint8]  # [h, w]
Point = tuple[float, float]  # x, y in px of the picture


@dataclass(frozen=True)
class CropShape:
    """Size of a network's input and the part of a face in it."""

    width: int  # px
    height: int  # px
    span: float  # width of the part, in distances between the eyes
    below: float = 0.0  # center of the part below the landmark, in distances between the eyes


# The lids, the corners and the lower edge of the brow.
EYE = CropShape(40, 24, 0.7)
# From the nose to the chin of a mouth that yawns.
MOUTH = CropShape(32, 32, 1.2, 0.15)

MAX_SHRINK = 2.0  # bilinear sampling skips pixels beyond it, so the picture is blurred first


def eye_crops(gray: Gray, landmarks: Sequence[Point]) -> Gray:
    """Return the crops of the left and the right eye of the picture, uint8 [2, 24, 40].

    Args:
        gray: the frame, uint8 [h, w].
        landmarks: left and right eye as they stand in the picture; what follows is not read.
    """
    left, right = landmarks[:2]
    return np.stack([_crop(gray, eye, left, right, EYE) for eye in (left, right)])


def mouth_crop(gray: Gray, landmarks: Sequence[Point]) -> Gray:
    """Return the crop of the mouth, uint8 [32, 32].

    Args:
        gray: the frame, uint8 [h, w].
        landmarks: left and right eye as they stand in the picture, nose tip, left and right
            corner of the mouth.
    """
    left, right, _, corner, other = landmarks
    middle = (corner[0] + other[0]) / 2, (corner[1] + other[1]) / 2
    return _crop(gray, middle, left, right, MOUTH)


def _crop(gray: Gray, point: Point, left: Point, right: Point, shape: CropShape) -> Gray:
    """Return the part of the face around a landmark, turned level by the eyes' roll."""
    across, down = right[0] - left[0], right[1] - left[1]
    distance, angle = max(1.0, math.hypot(across, down)), math.atan2(down, across)
    below = shape.below * distance
    center = point[0] - below * math.sin(angle), point[1] + below * math.cos(angle)
    return cut(gray, center, shape.span * distance / shape.width, angle, shape)


def cut(gray: Gray, center: Point, scale: float, angle: float, shape: CropShape) -> Gray:
    """Return a turned rectangle of a picture, uint8 [shape.height, shape.width].

    Beyond the picture its edge is repeated.

    Args:
        gray: the picture, uint8 [h, w].
        center: of the rectangle, px of the picture.
        scale: picture pixels per pixel of the rectangle.
        angle: rad, from the picture's rows to the rectangle's.
        shape: the rectangle's size.
    """
    cos, sin = scale * math.cos(angle), scale * math.sin(angle)
    matrix = np.array([[cos, -sin, 0.0], [sin, cos, 0.0]])
    middle = np.array([(shape.width - 1) / 2, (shape.height - 1) / 2])
    matrix[:, 2] = np.asarray(center) - matrix[:, :2] @ middle
    if scale > MAX_SHRINK:
        gray = _blurred(gray, center, scale, shape, matrix)
    turned = cv2.warpAffine(
        gray,
        matrix,
        (shape.width, shape.height),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )
    return np.asarray(turned, np.uint8)


def _blurred(
    gray: Gray, center: Point, scale: float, shape: CropShape, matrix: npt.NDArray[np.float64]
) -> Gray:
    """Return the surroundings of a rectangle blurred; moves `matrix` to their corner."""
    reach = scale * math.hypot(shape.width, shape.height) / 2 + scale
    x, y = max(0, int(center[0] - reach)), max(0, int(center[1] - reach))
    part = gray[y : int(center[1] + reach) + 1, x : int(center[0] + reach) + 1]
    if not part.size:
        return gray
    matrix[:, 2] -= x, y
    side = round(scale)
    return np.asarray(cv2.blur(part, (side, side)), np.uint8)
