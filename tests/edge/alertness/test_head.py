"""Head pose from landmarks of a turned mean face."""

from __future__ import annotations

import numpy as np
import pytest
from mien.alertness.head import FACE, head_pose


def turned(yaw: float, pitch: float, roll: float) -> list[tuple[float, float]]:
    y, p, r = np.radians([yaw, pitch, roll])
    turn = np.array([[np.cos(y), 0, -np.sin(y)], [0, 1, 0], [np.sin(y), 0, np.cos(y)]])
    bend = np.array([[1, 0, 0], [0, np.cos(p), -np.sin(p)], [0, np.sin(p), np.cos(p)]])
    tilt = np.array([[np.cos(r), -np.sin(r), 0], [np.sin(r), np.cos(r), 0], [0, 0, 1]])
    return [(300 + 60 * x, 200 + 60 * y) for x, y, _ in FACE @ (tilt @ bend @ turn).T]


@pytest.mark.parametrize(
    "angles", [(0, 0, 0), (20, 0, 0), (-35, 0, 0), (0, 25, 0), (0, -15, 0), (0, 0, 30)]
)
def test_a_turn_about_one_axis_is_read(angles: tuple[float, float, float]) -> None:
    pose = head_pose(turned(*angles))
    assert (pose.yaw, pose.pitch, pose.roll) == pytest.approx(angles, abs=0.1)


def test_the_nose_shows_where_the_head_turns() -> None:
    points = turned(25, 0, 0)
    assert points[2][0] > 300  # right of the middle
    assert head_pose(points).yaw > 0


def test_landmarks_in_one_point_are_no_turn() -> None:
    assert head_pose([(5.0, 5.0)] * 5).yaw == 0.0
