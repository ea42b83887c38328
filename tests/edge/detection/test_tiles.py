"""Stills: windows that cover the picture, one box a face, boxes in the picture's own pixels."""

from __future__ import annotations

import numpy as np
import pytest
from mien.detection.base import Detection
from mien.detection.tiles import MAX_SIDE, detect_still, windows
from mien.head_pose import roll_degrees, yaw_degrees


class SpotDetector:
    """Finds one bright square, if it is 10 to 200 px wide in what it is shown."""

    still_score = 0.7

    def __init__(self) -> None:
        self.shapes: list[tuple[int, ...]] = []

    def detect(self, gray: np.ndarray) -> list[Detection]:
        self.shapes.append(gray.shape)
        rows, columns = np.nonzero(gray > 200)
        if not len(rows) or not 10 <= np.ptp(columns) <= 200:
            return []
        x, y, w, h = columns.min(), rows.min(), np.ptp(columns) + 1, np.ptp(rows) + 1
        box = (float(x), float(y), float(w), float(h))
        return [Detection(box, 0.9, ((box[0], box[1]),) * 5)]


@pytest.mark.parametrize("tiles", [1, 2, 3])
@pytest.mark.parametrize(("height", "width"), [(480, 640), (7, 901), (1, 1)])
def test_windows_cover_the_picture_and_lie_inside(tiles: int, height: int, width: int) -> None:
    covered = np.zeros((height, width), bool)
    for left, top, w, h in windows(height, width, tiles):
        assert 0 <= left <= left + w <= width
        assert 0 <= top <= top + h <= height
        covered[top : top + h, left : left + w] = True
    assert covered.all()


@pytest.mark.parametrize("shape", [(480, 640), (1000, 1500), (60, 50), (4000, 3000)])
def test_one_box_in_the_pictures_own_pixels(shape: tuple[int, int]) -> None:
    gray = np.full(shape, 50, np.uint8)
    side = max(12, max(shape) // 20)
    gray[10 : 10 + side, 15 : 15 + side] = 255
    (found,) = detect_still(SpotDetector(), gray)
    assert found.box == pytest.approx((15, 10, side, side), abs=max(2, 2 * max(shape) / MAX_SIDE))
    assert found.landmarks is not None
    assert found.landmarks[0] == pytest.approx(found.box[:2])


def test_weak_faces_are_left_out_of_a_still() -> None:
    gray = np.full((480, 640), 50, np.uint8)
    gray[100:150, 100:150] = 255
    assert detect_still(SpotDetector(), gray, min_score=0.95) == []


def test_roll_and_yaw_of_a_head() -> None:
    level = ((40.0, 50.0), (80.0, 50.0), (60.0, 70.0), (45.0, 90.0), (75.0, 90.0))
    assert (roll_degrees(level), yaw_degrees(level)) == (0, 0)
    tilted = tuple((x - y, x + y) for x, y in level)  # turned clockwise by 45 degrees
    assert roll_degrees(tilted) == pytest.approx(45)
    assert yaw_degrees(tilted) == pytest.approx(0)
    turned = (*level[:2], (70.0, 70.0), *level[3:])
    assert 15 < yaw_degrees(turned) < 35
    mirrored = tuple((120 - x, y) for x, y in (turned[1], turned[0], turned[2]))
    assert yaw_degrees(mirrored) == pytest.approx(-yaw_degrees(turned))
