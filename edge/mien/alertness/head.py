"""Head pose from five landmarks: POS, the first step of POSIT.

DeMenthon and Davis, "Model-based object pose in 25 lines of code", IJCV 1995: a scaled
orthographic camera is fitted to the points of a mean face by linear least squares.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

# A mean adult face, in distances between the eyes: x to the right of the picture, y down, z away
# from the camera. Eye centers, nose tip and mouth corners after the anthropometry of Farkas,
# "Anthropometry of the Head and Face", 1994.
FACE = np.array(
    [
        (-0.5, 0.0, 0.0),
        (0.5, 0.0, 0.0),
        (0.0, 0.62, -0.46),
        (-0.38, 1.05, -0.08),
        (0.38, 1.05, -0.08),
    ]
)
_INVERSE = np.linalg.pinv(FACE - FACE.mean(axis=0))  # [3, 5]


@dataclass(frozen=True)
class HeadPose:
    """Rotation of a head in degrees; 0 faces the camera upright."""

    yaw: float  # above 0: turned to the right of the picture
    pitch: float  # above 0: bent down
    roll: float  # above 0: tilted clockwise in the picture


def head_pose(landmarks: Sequence[tuple[float, float]]) -> HeadPose:
    """Return the pose of a face.

    Args:
        landmarks: left and right eye as they stand in the picture, nose tip, left and right
            corner of the mouth, px.
    """
    points = np.asarray(landmarks, float)
    rows = (_INVERSE @ (points - points.mean(axis=0))).T  # [2, 3]: scaled rows of the rotation
    lengths = np.linalg.norm(rows, axis=1)
    if lengths.min() < 1e-6:
        return HeadPose(0.0, 0.0, 0.0)
    across, down = rows / lengths[:, np.newaxis]
    ahead = np.cross(across, down)
    ahead /= max(1e-6, float(np.linalg.norm(ahead)))
    # The nose points along -z of the face: where -z stands in the picture is yaw and pitch.
    yaw = math.degrees(math.asin(float(np.clip(-across[2], -1, 1))))
    pitch = math.degrees(math.asin(float(np.clip(-down[2], -1, 1))))
    roll = math.degrees(math.atan2(float(down[0]), float(across[0])))
    return HeadPose(yaw, pitch, roll)
