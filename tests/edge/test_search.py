"""The search for new faces: what is due, where, and how much of it."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from film import actor, film

from edge.bench.scenes import Scene
from edge.pyramid import Gray, Pyramid
from edge.search import REFRESH_S, WINDOW, Search, slices

ALL = 1e6  # windows: more than a whole frame has


@pytest.fixture
def searched(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The px searched, one entry for each call of a cascade."""
    areas: list[int] = []
    run = Search._run

    def counted(self: Search, picture: Gray, *rest: Any) -> Any:
        areas.append(picture.size)
        return run(self, picture, *rest)

    monkeypatch.setattr(Search, "_run", counted)
    return areas


def changes(pyramid: Pyramid, *boxes: tuple[int, int, int, int]) -> Gray:
    """The thumbnail's cells, changed in boxes of the frame: x, y, width, height in px."""
    cell = 1 << (len(pyramid.levels) - 1)
    changed = np.zeros(pyramid.levels[-1].shape, np.uint8)
    for x, y, w, h in boxes:
        changed[y // cell : (y + h) // cell, x // cell : (x + w) // cell] = 255
    return changed


def test_the_slices_hold_every_size_from_the_smallest_face_to_the_whole_height() -> None:
    pyramid = Pyramid(np.zeros((480, 640), np.uint8))
    sizes = sorted({size << one.level for one in slices(pyramid) for size in one.sizes})
    assert sizes[0] == 2 * WINDOW
    assert sizes[-1] > 0.9 * 480
    assert all(b / a < 1.16 for a, b in pairwise(sizes))


def test_the_first_search_of_a_frame_finds_its_faces() -> None:
    scene = Scene(2, 640, 480)
    pyramid = Pyramid(scene.frame(0).gray)
    everything = np.full(pyramid.levels[-1].shape, 255, np.uint8)
    found = Search().step(pyramid, everything, [], 0.0, ALL, True)
    for x, y, side, _ in scene.boxes(0):
        assert any(
            abs(px - x - side / 2) < side / 4 and abs(py - y - side / 2) < side / 4
            for px, py, _ in found
        )


def test_nothing_is_searched_twice_where_nothing_changes(searched: list[int]) -> None:
    pyramid = Pyramid(next(film([actor(0, (300, 240))], 1)).gray)
    search = Search()
    search.step(pyramid, changes(pyramid, (0, 0, 640, 480)), [], 0.0, ALL, True)
    once = len(searched)
    assert once > 0
    search.step(pyramid, changes(pyramid), [], 0.5, ALL)
    assert len(searched) == once
    search.step(pyramid, changes(pyramid), [], REFRESH_S + 0.1, ALL)
    assert len(searched) > once


def test_what_a_known_face_moves_is_left_out_but_not_what_happens_beside_it(
    searched: list[int],
) -> None:
    pyramid = Pyramid(next(film([actor(0, (200, 240))], 1)).gray)
    search = Search()
    search.step(pyramid, changes(pyramid, (0, 0, 640, 480)), [], 0.0, ALL, True)
    searched.clear()
    known = [(200.0, 240.0, 110.0)]
    around = changes(pyramid, (110, 160, 180, 190))
    search.step(pyramid, around, known, 0.5, ALL)
    assert not searched
    search.step(pyramid, around | changes(pyramid, (480, 200, 80, 80)), known, 1.0, ALL)
    assert searched
    assert max(searched) < 0.8 * 240 * 320


def test_a_budget_spreads_the_work_over_frames(searched: list[int]) -> None:
    pyramid = Pyramid(next(film([], 1)).gray)
    search = Search()
    everything = changes(pyramid, (0, 0, 640, 480))
    search.step(pyramid, everything, [], 0.0, 5000.0)
    first = sum(searched)
    search.step(pyramid, changes(pyramid), [], 0.03, 5000.0)
    second = sum(searched) - first
    whole = Search()
    searched.clear()
    whole.step(pyramid, everything, [], 0.0, ALL)
    assert 0 < first < 0.6 * sum(searched)
    assert second > 0
