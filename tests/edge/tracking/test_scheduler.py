"""The search for new faces: when it is due, and what of its places is new."""

from __future__ import annotations

import numpy as np
import pytest
from film import actor, film
from mien.bench.scenes import Scene
from mien.detection.ssd import Scan
from mien.pyramid import Gray, Pyramid
from mien.tracking.scheduler import REFRESH_S, SCAN_S, SEEN, Search, on, same


@pytest.fixture
def scans(monkeypatch: pytest.MonkeyPatch) -> list[Pyramid]:
    """What was searched, one entry for each time."""
    seen: list[Pyramid] = []
    places = Scan.places

    def counted(self: Scan, pyramid: Pyramid, least: float) -> list:
        seen.append(pyramid)
        return places(self, pyramid, least)

    monkeypatch.setattr(Scan, "places", counted)
    return seen


def changes(pyramid: Pyramid, *boxes: tuple[int, int, int, int]) -> Gray:
    """The thumbnail's cells, changed in boxes of the frame: x, y, width, height in px."""
    cell = 1 << (len(pyramid.levels) - 1)
    changed = np.zeros(pyramid.levels[-1].shape, np.uint8)
    for x, y, w, h in boxes:
        changed[y // cell : (y + h) // cell, x // cell : (x + w) // cell] = 255
    return changed


EVERYWHERE = (0, 0, 640, 480)


@pytest.fixture
def pyramid() -> Pyramid:
    """A frame with one face of 110 px at (200, 240)."""
    return Pyramid(next(film([actor(0, (200, 240))], 1)).gray)


def test_the_first_search_finds_the_frames_faces() -> None:
    scene = Scene(2, 640, 480)
    pyramid = Pyramid(scene.frame(0).gray)
    found = Search().step(pyramid, changes(pyramid, EVERYWHERE), [], 0.0)
    for x, y, side, _ in scene.boxes(0):
        assert any(
            abs(px - x - side / 2) < side / 4 and abs(py - y - side / 2) < side / 4
            for (px, py, _), _ in found
        )


def test_where_nothing_changes_it_waits_for_the_refresh(
    scans: list[Pyramid], pyramid: Pyramid
) -> None:
    search = Search()
    search.step(pyramid, changes(pyramid, EVERYWHERE), [], 0.0)
    search.step(pyramid, changes(pyramid), [], 0.5)
    assert len(scans) == 1
    search.step(pyramid, changes(pyramid), [], REFRESH_S + 0.1)
    assert len(scans) == 2


def test_what_changes_is_searched_when_its_time_has_come_less_often_with_less_effort(
    scans: list[Pyramid], pyramid: Pyramid
) -> None:
    counts = []
    for effort in (1.0, 0.5):
        search = Search()
        scans.clear()
        for frame in range(30):
            changed = changes(pyramid, EVERYWHERE)
            search.step(pyramid, changed, [], frame / 30, effort)
        counts.append(len(scans))
    assert counts == [round(1 / SCAN_S), round(0.5 / SCAN_S)]
    late = Search()
    late.step(pyramid, changes(pyramid), [], 0.0)
    scans.clear()
    late.step(pyramid, changes(pyramid, EVERYWHERE), [], 0.03)
    assert not scans
    late.step(pyramid, changes(pyramid), [], 0.11)  # it has not forgotten
    assert scans


def test_a_new_scene_is_searched_at_once(scans: list[Pyramid], pyramid: Pyramid) -> None:
    search = Search()
    search.step(pyramid, changes(pyramid, EVERYWHERE), [], 0.0)
    search.step(pyramid, changes(pyramid, EVERYWHERE), [], 0.03, whole=True)
    assert len(scans) == 2


def test_what_a_known_face_moves_is_left_out_but_not_what_happens_beside_it(
    scans: list[Pyramid], pyramid: Pyramid
) -> None:
    search = Search()
    search.step(pyramid, changes(pyramid, EVERYWHERE), [], 0.0)
    scans.clear()
    known = [(200.0, 240.0, 110.0)]
    around = changes(pyramid, (110, 160, 180, 190))
    search.step(pyramid, around, known, 0.5)
    assert not scans
    search.step(pyramid, around | changes(pyramid, (480, 200, 80, 80)), known, 1.0)
    assert scans


def test_a_known_face_is_no_new_place(pyramid: Pyramid) -> None:
    found = Search().step(pyramid, changes(pyramid, EVERYWHERE), [], 0.0)
    here = [place for place, odds in found if odds > 0]
    assert len(here) == 1
    assert on(here[0], (200.0, 240.0, 110.0))
    assert all(
        abs(x - 200) + abs(y - 240) > 30 for (x, y, side), _ in found if not on((x, y, side), *here)
    )


def test_a_search_tells_where_a_known_face_is_unless_it_sees_it_badly_or_elsewhere() -> None:
    known = (200.0, 240.0, 110.0)
    here, small, far = (205.0, 240.0, 100.0), (200.0, 240.0, 40.0), (290.0, 240.0, 110.0)
    assert same(known, [(far, 4.0), (here, SEEN), (small, 3.0)]) == here
    assert same(known, [(far, 4.0), (here, SEEN - 0.1), (small, 3.0)]) is None
    assert same(known, [(far, 4.0), (small, 3.0)]) is None
    assert same(known, []) is None
