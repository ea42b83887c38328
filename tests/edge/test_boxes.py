from __future__ import annotations

import numpy as np
import pytest
from mien.boxes import clip_box, face_to_square, ios, iou, iou_matrix, nms, square_to_face


def test_overlaps_of_two_boxes() -> None:
    a, b = (0, 0, 10, 10), (5, 0, 10, 10)
    assert iou(a, b) == pytest.approx(1 / 3)
    assert ios(a, (2, 2, 4, 4)) == 1
    assert iou(a, (10, 0, 5, 5)) == 0
    assert iou((3, 3, 0, 0), (3, 3, 0, 0)) == 0


def test_the_matrix_says_what_the_pairs_say() -> None:
    boxes = np.random.default_rng(1).uniform(1, 50, (12, 4))
    one, other = boxes[:7], boxes[7:]
    expected = [[iou(a, b) for b in other] for a in one]
    assert np.allclose(iou_matrix(one, other), expected)
    assert iou_matrix(np.empty((0, 4)), other).shape == (0, 5)


def test_of_overlapping_boxes_the_best_stays() -> None:
    boxes = [(0, 0, 10, 10), (1, 1, 10, 10), (30, 0, 10, 10), (32, 2, 4, 4)]
    assert nms(boxes, [0.5, 0.9, 0.7, 0.6], 0.4) == [1, 2, 3]
    assert nms(boxes, [0.5, 0.9, 0.7, 0.6], 0.4, max_ios=0.7) == [1, 2]
    assert nms([], [], 0.4) == []


def test_a_square_and_its_face_are_one_place() -> None:
    square = (100, 80, 93, 93)
    x, _, w, h = face = square_to_face(square)
    assert w < 93 < h
    assert x + w / 2 == pytest.approx(146.5)
    assert w / h == pytest.approx(0.77)
    assert face_to_square(face) == pytest.approx((96, 78, 100, 100), abs=2)


def test_clipping_leaves_a_pixel_at_least() -> None:
    assert clip_box((-5.4, 3.6, 10.0, 10.0), 20, 10) == (0, 4, 5, 6)
    assert clip_box((90, 90, 5, 5), 20, 10) == (19, 9, 1, 1)
