"""Head pose from five facial landmarks: coarse angles, no camera model.

The points are the person's right eye, left eye, nose, right and left corner of the mouth, px.
"""

from __future__ import annotations

import math

from mien.boxes import Landmarks

NOSE_DEPTH = 0.6  # of the distance between the eyes: how far the nose stands out from their plane


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
