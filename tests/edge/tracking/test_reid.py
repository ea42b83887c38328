"""Who is who: how a face is known again, and whose it is where two tracks meet."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from film import actor, film
from mien.boxes import Square
from mien.pyramid import Pyramid
from mien.tracking.reid import HERE, SAME, former, is_back, on_one, own_likeness, part
from mien.tracking.scheduler import Search, on
from mien.tracking.template import PORTRAIT, portrait, resemblance
from mien.tracking.track import NAMED, NAMED_AT_ONCE, SHOWN, Track

HOPPER, COLLINS = (180.0, 240.0), (460.0, 240.0)
SIDE = 110.0


@pytest.fixture(scope="module")
def both() -> tuple[Pyramid, Square, Square]:
    """Two people beside each other, and where their faces are."""
    frame = next(iter(film([actor(0, HOPPER, sway=0.0), actor(1, COLLINS, sway=0.0)], 1)))
    places = [(x + w / 2, y + w / 2, w) for x, y, w, _ in (t.box for t in frame.truths)]
    first, second = sorted(places)
    return Pyramid(frame.gray), first, second


def known(pyramid: Pyramid, place: Square, number: int) -> Track:
    """A face that is followed for long and was seen just now."""
    own = np.zeros((16, 16), np.uint8)
    return Track(
        *place, own, portrait(pyramid, *place), number, likeness=1.0, looks=50, belief=12.0,
        proven=True, seen=1.0, shown=True, before=(*place[:2], 0.9),
    )  # fmt: skip


def test_a_face_resembles_itself_though_the_box_is_off_and_nobody_else(
    both: tuple[Pyramid, Square, Square],
) -> None:
    pyramid, (x, y, side), other = both
    picture = portrait(pyramid, x, y, side)
    assert picture.shape == (PORTRAIT, PORTRAIT)
    for times in (0.9, 1.12):
        assert resemblance(pyramid, picture, x + 0.1 * side, y - 0.08 * side, times * side) > 0.8
    assert resemblance(pyramid, picture, *other) < SAME


def test_of_two_tracks_on_one_face_the_other_person_gives_way_and_keeps_the_id(
    both: tuple[Pyramid, Square, Square],
) -> None:
    pyramid, first, second = both
    hidden, front = known(pyramid, first, 1), known(pyramid, second, 2)
    hidden.x, hidden.y, hidden.side = second  # it had passed behind and taken the other for itself
    assert part([hidden, front], pyramid) == [hidden, front]
    assert not hidden.firm
    assert hidden.seen == 0.9
    assert (hidden.x, hidden.y) == first[:2]
    assert front.firm


@pytest.mark.parametrize(
    ("place", "one"),
    [
        ((110.0, 100.0, 100.0), True),
        ((110.0, 118.0, 70.0), True),  # a part of it
        ((150.0, 100.0, 70.0), False),  # in front of its edge
        ((100.0, 100.0, 50.0), False),  # somebody far away, or a child held in front
    ],
)
def test_a_large_part_of_a_face_is_that_face(place: Square, one: bool) -> None:
    face, other = (Track(*at, np.zeros((16, 16), np.uint8)) for at in ((100, 100, 100), place))
    assert on_one(face, other) is one
    assert on_one(other, face) is one


def test_two_tracks_of_one_person_become_one(both: tuple[Pyramid, Square, Square]) -> None:
    pyramid, first, _ = both
    old, new = known(pyramid, first, 1), known(pyramid, first, 2)
    left = [old, new]
    for _ in range(8):
        new.likeness = 1.0
        left = part(left, pyramid)
    assert left == [old]


def test_whom_the_cascade_sees_takes_over_from_the_same_one_in_doubt(
    both: tuple[Pyramid, Square, Square],
) -> None:
    pyramid, first, _ = both
    old, new = known(pyramid, first, 1), known(pyramid, first, 2)
    old.misses = 3
    assert part([old, new], pyramid) == [new]
    assert new.id == 1


def test_a_smaller_track_inside_a_face_is_out_of_sight(
    both: tuple[Pyramid, Square, Square],
) -> None:
    pyramid, (x, y, side), _ = both
    face = known(pyramid, (x, y, side), 1)
    eye = known(pyramid, (x + 0.2 * side, y - 0.2 * side, 0.35 * side), 2)
    assert part([face, eye], pyramid) == [face, eye]
    assert face.firm
    assert not eye.firm


def test_who_comes_back_is_the_one_that_it_looks_like(both: tuple[Pyramid, Square, Square]) -> None:
    pyramid, first, second = both
    gone = known(pyramid, first, 1)
    gone.x, gone.y = second[0] - 0.5 * SIDE, second[1]  # lost beside the other
    assert former(known(pyramid, second, 0), [gone], pyramid, 1.5) is None
    gone = known(pyramid, second, 1)
    gone.x -= SIDE
    assert former(known(pyramid, second, 0), [gone], pyramid, 1.5) is gone
    assert former(known(pyramid, first, 0), [gone], pyramid, 1.5) is None  # too far


def test_who_was_out_of_sight_is_back_where_it_looks_the_same(
    both: tuple[Pyramid, Square, Square],
) -> None:
    pyramid, first, second = both
    track = known(pyramid, first, 1)
    track.shown = False
    assert is_back(track, first, pyramid)
    assert not is_back(track, second, pyramid)
    assert resemblance(pyramid, portrait(pyramid, *first), *second) < HERE


def test_who_was_believed_by_adding_up_is_shown_when_it_is_seen_again() -> None:
    face = Track(50, 50, 40, np.zeros((16, 16), np.uint8), id=1, likeness=0.95, seen=1.0)
    face.belief, face.looks = NAMED, 3
    assert not face.shows(1.0)
    weak, strong = replace(face), replace(face)
    weak.tell(2, False)  # two windows are seen anywhere
    assert not weak.shows(1.0)
    strong.tell(5, False)
    assert strong.shows(1.0)
    assert NAMED < SHOWN <= NAMED_AT_ONCE


@pytest.mark.parametrize(("aside", "found"), [(0.3, True), (0.05, False)])
def test_a_small_known_face_hides_a_larger_one_only_from_its_middle(
    both: tuple[Pyramid, Square, Square], aside: float, found: bool
) -> None:
    pyramid, (x, y, side), _ = both
    changed = np.full(pyramid.levels[-1].shape, 255, np.uint8)
    small = (x + aside * side, y, 0.3 * side)
    seen = Search().step(pyramid, changed, [small], 0.0, whole=True)
    places = [place for place, _ in seen if not on(place, small)]
    assert (
        any(abs(a - x) + abs(b - y) < 0.2 * side and s > 0.7 * side for a, b, s in places) is found
    )


def test_a_wall_does_not_resemble_a_face_however_it_correlates(
    both: tuple[Pyramid, Square, Square],
) -> None:
    pyramid, first, _ = both
    track = known(pyramid, first, 1)
    faint = Pyramid(np.asarray(100 + pyramid.levels[0] // 8, np.uint8))  # its shadow, as it were
    assert track.portrait is not None
    assert resemblance(faint, track.portrait, *first) > 0.9
    assert own_likeness(track, first, faint) == 0.0
    assert own_likeness(track, first, pyramid) > 0.9


def test_who_was_never_seen_well_stays_unproven() -> None:
    face = Track(50, 50, 40, np.zeros((16, 16), np.uint8), id=1, likeness=0.95, seen=1.0)
    face.belief, face.looks = SHOWN - 1, 30
    assert not face.shows(1.0)
    for _ in range(3):
        face.tell(5, False)
    assert face.shows(1.0)
    face.belief = SHOWN - 1  # later it may turn away
    assert face.shows(1.0)
