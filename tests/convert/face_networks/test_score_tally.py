"""What the score counts: recall, false boxes, identity switches, delays."""

from __future__ import annotations

import pytest
from mien.boxes import iou
from mien_convert.face_networks.scenes import FPS, Truth
from mien_convert.face_networks.tally import Found, assign, tally

A, B = (100.0, 100.0, 80.0, 80.0), (300.0, 100.0, 80.0, 80.0)


def at(box: tuple[float, float, float, float], face: int = 0, visible: float = 1.0) -> Truth:
    return Truth(face, box, visible)


def test_overlap_is_intersection_over_union() -> None:
    assert iou(A, A) == 1
    assert iou(A, B) == 0
    assert iou((0, 0, 2, 2), (1, 0, 2, 2)) == pytest.approx(1 / 3)


def test_each_box_is_on_one_face_the_best_pair_first() -> None:
    shifted = (110.0, 100.0, 80.0, 80.0)
    assert assign([A, shifted], [shifted]) == {1: 0}
    assert assign([A, B], [B, A]) == {0: 1, 1: 0}
    assert assign([A], [shifted, A]) == {0: 1}


def test_recall_and_delay() -> None:
    truths = [[at(A)]] * 30 + [[at(A), at(B, 1)]] * 30
    found = [[Found(A, 1)]] * 45 + [[Found(A, 1), Found(B, 2)]] * 15
    counted = tally(truths, found)
    assert counted.face_frames == 90
    assert counted.recall == pytest.approx(75 / 90)
    assert counted.delays([0, 1, 2]) == [0, 15 / FPS, float("inf")]


def test_a_box_on_nobody_is_false_and_so_is_a_second_one_on_a_face() -> None:
    counted = tally([[at(A)]] * 4, [[Found(A)], [Found(A), Found(B)], [Found(A), Found(A)], []])
    assert (counted.false_frames, counted.false_boxes) == (2, 2)
    assert counted.hits == 3


def test_a_box_near_a_hidden_face_or_badly_on_one_is_neither_right_nor_false() -> None:
    loose = (100.0, 100.0, 135.0, 135.0)
    assert 0.3 < iou(A, loose) < 0.4
    counted = tally([[at(A, visible=0.5)], [at(A)]], [[Found(loose)], [Found(loose)]])
    assert (counted.false_boxes, counted.hits, counted.face_frames) == (0, 0, 1)


def test_a_switch_is_counted_when_the_id_changes_also_after_a_gap() -> None:
    ids = [1, 1, 0, 2, 2, 1]
    found = [[Found(A, i)] if i else [] for i in ids]
    counted = tally([[at(A)]] * 6, found)
    assert counted.switches == 2
    assert counted.switches_per_1000 == pytest.approx(400)
    both = tally([[at(A)], [at(B, 1)]], [[Found(A, 1)], [Found(B, 1)]])
    assert (both.switches, both.shared_ids) == (0, 1)
