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
_INVERSE = np.linalg.pinv(FACE - FACE.mean(axis=0))  # [3, 5]; its rows sum to 0


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
    # Scaled rows of the rotation: where the face's axes stand in the picture's x and in its y.
    (xx, xy, xz), (yx, yy, yz) = (_INVERSE @ points).T.tolist()
    across, down = math.sqrt(xx * xx + xy * xy + xz * xz), math.sqrt(yx * yx + yy * yy + yz * yz)
    if min(across, down) < 1e-6:
        return HeadPose(0.0, 0.0, 0.0)
    # The nose points along -z of the face.
    return HeadPose(
        yaw=math.degrees(math.asin(-xz / across)),
        pitch=math.degrees(math.asin(-yz / down)),
        roll=math.degrees(math.atan2(yx / down, xx / across)),
    )
