"""Detection: a face in a gray picture, and the protocol of everything that detects faces."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from mien.boxes import FloatBox, Landmarks

Gray = npt.NDArray[np.uint8]  # [H, W]
NOSE_DEPTH = 0.6  # of the distance between the eyes: how far the nose stands out from their plane
LANDMARK_NAMES = ("right_eye", "left_eye", "nose", "mouth_right", "mouth_left")


@dataclass(frozen=True)
class Detection:
    """One detected face."""

    box: FloatBox  # px of the picture: upright, forehead to chin; may reach beyond the picture
    score: float  # 0 to 1
    landmarks: Landmarks | None = None  # px: the five points of LANDMARK_NAMES, the person's sides


class Detector(Protocol):
    """Anything that detects faces. Not for use from several threads at once."""

    # From which a face of a still counts: 0.03 false boxes a picture (docs/detection.md). In a
    # video detections confirm each other, and the tracker has thresholds of its own.
    still_score: float

    def detect(self, gray: Gray, scale: float = 1.0) -> list[Detection]:
        """Return the faces of a gray picture, uint8 [H, W], the best score first.

        `scale` multiplies the size, px, at which the detector looks at a picture by itself: 2
        finds faces of half the size and takes four times the work.
        """
        ...


def roll_degrees(points: Landmarks) -> float:
    """Return the turn of a head in the picture's plane, degrees, clockwise above 0."""
    (right_x, right_y), (left_x, left_y) = points[:2]
    return math.degrees(math.atan2(left_y - right_y, left_x - right_x))


def yaw_degrees(points: Landmarks) -> float:
    """Return the turn of a head to the picture's right, degrees: coarse, from the nose's place.

    The nose stands out, so that a turn moves it along the line of the eyes, while their distance
    shrinks: the tangent of the turn is the nose's offset in distances of the eyes over its depth.
    """
    (right_x, right_y), (left_x, left_y), (nose_x, nose_y) = points[:3]
    dx, dy = left_x - right_x, left_y - right_y
    apart = dx * dx + dy * dy
    if not apart:
        return 90.0
    off = (nose_x - (right_x + left_x) / 2) * dx + (nose_y - (right_y + left_y) / 2) * dy
    return math.degrees(math.atan(off / apart / NOSE_DEPTH))
