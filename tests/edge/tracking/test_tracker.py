"""The tracker, with the real cascades, on made films of the bundled portraits."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import mien
import numpy as np
import pytest
from film import FPS, actor, film, follow, without
from mien.bench.scenes import Scene
from mien.boxes import iou
from mien.detection.ssd import Scan
from mien.detection.verifier import Faceness
from mien.image import load_image
from mien.pyramid import Pyramid
from mien.tracking.template import Looker, patch
from mien.tracking.track import (
    BELIEVED,
    CERTAIN,
    CERTAIN_LOOKS,
    CLEARLY,
    LOOKS,
    NEEDED,
    NO,
    SCANNED,
    SCANNED_CLEARLY,
    SCANNED_POORLY,
    SCANS,
    UNSEEN,
    Track,
)
from mien.tracking.tracker import Tracker

DEMO = Path(mien.__file__).parent / "demo"
SOON = 15  # frames, half a second


def test_the_clips_two_people_are_followed_in_every_frame_under_two_ids() -> None:
    capture = cv2.VideoCapture(str(DEMO / "clip.mp4"))
    tracker = Tracker()
    seen = []
    while (read := capture.read())[0]:
        gray = np.asarray(cv2.cvtColor(read[1], cv2.COLOR_BGR2GRAY), np.uint8)
        seen.append([track.id for track in tracker.update(gray, len(seen) / 25)])
    assert len(seen) == 200
    assert seen[2:] == [[1, 2]] * 198
    assert tracker.ids == {1, 2}


@pytest.mark.parametrize("seed", [2, 7, 12])
def test_moved_in_another_light_and_in_noise_they_are_two_still(seed: int) -> None:
    """A badge on the suit and a cap's emblem have all that a cascade takes for a face."""
    rng = np.random.default_rng(seed)
    right, down = rng.uniform(-12, 12, 2)
    gain, zoom, noise = rng.uniform(0.7, 1.25), rng.uniform(0.9, 1.15), rng.uniform(0, 6)
    matrix = np.array([[zoom, 0, right], [0, zoom, down]])
    capture = cv2.VideoCapture(str(DEMO / "clip.mp4"))
    tracker = Tracker()
    for index in range(60):
        gray = cv2.cvtColor(capture.read()[1], cv2.COLOR_BGR2GRAY)
        moved = cv2.warpAffine(gray, matrix, gray.shape[::-1], borderMode=cv2.BORDER_REFLECT_101)
        seen = moved * gain + noise * rng.standard_normal(gray.shape)
        tracks = tracker.update(np.clip(seen, 0, 255).astype(np.uint8), index / 30)
        assert index < 10 or len(tracks) == 2
    assert tracker.ids == {1, 2}


@pytest.mark.parametrize(("faces", "size"), [(1, (320, 240)), (5, (640, 480)), (10, (1280, 720))])
def test_the_benchs_faces_are_all_found_and_nothing_else(faces: int, size: tuple[int, int]) -> None:
    scene = Scene(faces, *size)
    tracker = Tracker()
    for index in range(40):
        frame = scene.frame(index)
        tracks = tracker.update(frame.gray, frame.time)
        if index >= SOON:
            places = [(t.x - t.side / 2, t.y - t.side / 2, t.side, t.side) for t in tracks]
            assert len(places) == faces
            assert all(max(iou(b, p) for p in places) > 0.3 for b in scene.boxes(index))


def test_an_id_survives_a_short_occlusion() -> None:
    tracker = Tracker()
    frames = list(film([actor(0, (300, 220), (1.0, 0.0))], 75))
    for index in range(30, 45):  # half a second behind something
        gray = frames[index].gray.copy()
        x, y, side, _ = (int(v) for v in frames[index].truths[0].box)
        gray[y - 30 : y + side + 30, x - 30 : x + side + 30] = without(gray)[
            y - 30 : y + side + 30, x - 30 : x + side + 30
        ]
        frames[index] = replace(frames[index], gray=gray)
    ids = [ids.get(0) for _, _, ids in follow(tracker, frames)]
    assert ids[29] == 1
    assert not any(ids[36:44])
    assert ids[52:] == [1] * 23


def test_two_who_cross_keep_their_ids() -> None:
    tracker = Tracker()
    actors = [
        actor(0, (90, 240), (4.0, 0.0), side=90),
        actor(1, (550, 225), (-4.0, 0.0), side=110),
    ]
    seen = [ids for _, _, ids in follow(tracker, film(actors, 110))]
    before, after = seen[15], seen[-1]
    assert sorted(before) == [0, 1]
    assert after == before


@pytest.mark.parametrize("seed", [2, 4])  # a full search with default arguments sees some there
def test_where_there_is_no_face_there_is_no_track(seed: int) -> None:
    tracker = Tracker()
    for index, frame in enumerate(film([], 45, seed, pan=12.0)):
        assert tracker.update(frame.gray, index / FPS) == []


def test_who_leaves_is_gone_and_the_next_one_is_somebody_else() -> None:
    tracker = Tracker()
    first = actor(0, (500, 220), (6.0, 0.0), who=0)
    seen = list(follow(tracker, film([first], 60)))
    assert seen[10][2] == {0: 1}
    left = next(i for i, (truths, _, _) in enumerate(seen) if not truths)
    assert all(not tracks for _, tracks, _ in seen[left + 4 :])
    # Another comes in by the same door, three seconds later.
    second = actor(1, (760, 220), (-5.0, 0.0), who=1)
    later = list(follow(tracker, film([second], 60), begin=60 / 30))
    assert later[-1][2] == {1: 2}


def test_who_comes_back_has_the_old_id_or_a_new_one_never_anothers() -> None:
    tracker = Tracker()
    stays = actor(1, (160, 240), who=1)
    there = [stays, actor(0, (470, 240), who=0)]
    both = [ids for _, _, ids in follow(tracker, film(there, 20))][-1]
    assert sorted(both.values()) == [1, 2]
    for _ in follow(tracker, film([stays], 60), begin=20 / 30):
        pass
    again = [ids for _, _, ids in follow(tracker, film(there, 25), begin=80 / 30)][-1]
    assert again[1] == both[1]
    assert again[0] in (both[0], 3)


def test_no_id_is_given_again_after_a_change_of_scene() -> None:
    tracker = Tracker()
    old = [ids for _, _, ids in follow(tracker, film([actor(0, (200, 240))], 12))][-1]
    frames = film([actor(1, (204, 238))], 12, seed=99)  # at the same place
    new = [ids for _, _, ids in follow(tracker, frames, begin=12 / 30)][-1]
    assert old == {0: 1}
    assert new == {1: 2}


def test_after_a_pause_ids_go_on() -> None:
    tracker = Tracker()
    frames = list(film([actor(0, (200, 240))], 8))
    assert [ids for _, _, ids in follow(tracker, frames)][-1] == {0: 1}
    assert [ids for _, _, ids in follow(tracker, frames, begin=60.0)][-1] == {0: 2}


def test_no_more_faces_than_asked_for() -> None:
    scene = Scene(5, 640, 480)
    tracker = Tracker(most=2)
    for index in range(12):
        frame = scene.frame(index)
        tracks = tracker.update(frame.gray, frame.time)
        assert len(tracks) <= 2
    assert len(tracks) == 2


@pytest.mark.parametrize("side", [60, 110, 200])
def test_a_new_face_is_found_within_half_a_second(side: float) -> None:
    tracker = Tracker()
    frames = film([actor(0, (690, 240), (-9.0, 0.0), side=side)], 60)
    appeared = found = None
    for index, (truths, _, ids) in enumerate(follow(tracker, frames)):
        if appeared is None and truths and truths[0].visible > 0.75:
            appeared = index
        if found is None and ids:
            found = index
    assert appeared is not None
    assert found is not None
    assert found - appeared <= SOON


def test_a_face_that_does_not_move_at_all_is_reported_in_every_frame() -> None:
    tracker = Tracker()
    gray = load_image(DEMO / "portraits" / "both.jpg").gray
    assert all(len(tracker.update(gray, index / 30)) == 2 for index in range(60))


@pytest.mark.parametrize("shape", [(1, 1), (3, 2), (17, 301), (479, 641), (24, 24), (90, 90)])
def test_odd_sizes_and_flat_pictures_do_no_harm(shape: tuple[int, int]) -> None:
    tracker = Tracker()
    rng = np.random.default_rng(1)
    flat = np.full(shape, 120, np.uint8)
    for index, picture in enumerate((flat, flat, rng.integers(0, 255, shape).astype(np.uint8))):
        assert tracker.update(picture, index / 30) == []


def test_the_size_may_change_on_the_way() -> None:
    tracker = Tracker()
    for index, (width, height) in enumerate(((640, 480), (320, 240), (640, 480))):
        tracks = tracker.update(Scene(1, width, height).frame(0).gray, index / 30)
        assert [track.id for track in tracks] == [index + 1]


def test_less_effort_is_less_work(monkeypatch: pytest.MonkeyPatch) -> None:
    counts = {"looks": 0, "scans": 0}
    hits, places = Looker.hits, Scan.places

    def looking(*arguments: Any, **options: Any) -> Any:
        counts["looks"] += 1
        return hits(*arguments, **options)

    def scanning(*arguments: Any) -> Any:
        counts["scans"] += 1
        return places(*arguments)

    monkeypatch.setattr(Looker, "hits", looking)
    monkeypatch.setattr(Scan, "places", scanning)
    work = []
    for effort in (1.0, 0.25, 0.0):
        tracker = Tracker()
        tracker.effort = effort
        panned = film([actor(0, (200, 240)), actor(1, (440, 240))], 75, pan=12.0)
        for index, frame in enumerate(panned):
            if index == 45:  # both are well known by then
                counts.update(looks=0, scans=0)
            tracks = tracker.update(frame.gray, index / 30)
        assert len(tracks) == 2
        work.append(dict(counts))
    assert work[1]["looks"] < 0.6 * work[0]["looks"]
    assert work[0]["scans"] > 6
    assert work[1]["scans"] <= 0.3 * work[0]["scans"]
    assert work[2]["scans"] <= 1


def place(faceness: float = CLEARLY, scans: tuple[float, ...] = (SCANNED,) * SCANS) -> Track:
    """A new place of which the two networks have said so much."""
    track = Track(50, 50, 40, np.zeros((16, 16), np.uint8))
    for odds in scans:
        track.scan(odds)
    track.judge(faceness)
    return track


def test_two_cascades_make_up_for_one_that_is_blind_to_a_face() -> None:
    new = place(NEEDED)
    assert not new.convincing
    for cascade, windows in ((0, 0), (1, 9), (2, 9)):
        new.tell(windows, False, cascade)
        new.tell(windows, True, cascade)
    assert not new.refuted
    assert new.convincing


def test_what_the_search_is_sure_of_needs_no_cascade() -> None:
    assert place(NEEDED, (SCANNED_CLEARLY,)).convincing
    assert not place(NEEDED - 0.1, (SCANNED_CLEARLY,)).convincing
    assert not place(NEEDED, (SCANNED_CLEARLY - 0.1,)).convincing


def test_a_doubtful_place_is_given_up_when_it_was_looked_at_and_scanned_enough() -> None:
    """However many frames lie between two scans."""
    new = place(NEEDED, (SCANNED,) * (SCANS - 1))
    new.looks = 4 * LOOKS
    assert not new.refuted
    new.scan(SCANNED)
    assert new.refuted


@pytest.mark.parametrize(
    "new",
    [
        place(NEEDED - 0.1),
        place(CERTAIN, (SCANNED,) * (SCANS - 1)),
        place(CERTAIN, (*(SCANNED,) * (SCANS - 1), SCANNED - 0.1)),
        place(CERTAIN, (SCANNED_CLEARLY - 0.1, SCANNED, UNSEEN)),
    ],
)
def test_what_all_cascades_see_and_one_of_the_networks_does_not_is_no_face(new: Track) -> None:
    for _ in range(3):
        for cascade in range(3):
            new.tell(20, False, cascade)
            new.tell(20, True, cascade)
    assert new.belief > BELIEVED
    assert not new.convincing


@pytest.mark.parametrize(("scanned", "enough"), [(-0.4, True), (-0.6, False)])
def test_where_one_network_is_surer_on_average_less_of_the_other_will_do(
    scanned: float, enough: bool
) -> None:
    new = place(CERTAIN + 0.9, (scanned,) * SCANS)
    for more in (0.5, 0.1):
        new.judge(CERTAIN + more)
    assert new.convincing == enough


def test_however_sure_one_network_is_the_other_has_a_say() -> None:
    new = place(CERTAIN + 5.0, (SCANNED_POORLY - 0.1,) * SCANS)
    for _ in range(CERTAIN_LOOKS):
        new.judge(CERTAIN + 5.0)
    assert not new.convincing


def test_of_what_the_network_is_certain_looks_enough_need_no_cascade() -> None:
    new = place(CERTAIN)
    for _ in range(CERTAIN_LOOKS - 1):
        assert not new.convincing
        new.judge(CERTAIN)
    assert new.convincing
    new.judge(CLEARLY)  # once less is enough to begin anew
    assert not new.convincing


def test_what_only_the_least_sure_cascade_sees_is_no_face() -> None:
    new = place(NEEDED)
    for _ in range(2):
        for cascade, windows in ((0, 0), (1, 0), (2, 6)):
            new.tell(windows, False, cascade)
            new.tell(windows, True, cascade)
        assert not new.convincing


def test_a_new_face_that_is_not_seen_again_is_shown_no_more() -> None:
    face = Track(50, 50, 40, np.zeros((16, 16), np.uint8), id=1, likeness=0.95, seen=1.0)
    face.belief, face.looks, face.misses = 8.0, 4, 2
    assert face.shows(1.0)
    face.misses = 3
    assert not face.shows(1.0)
    face.looks, face.proven = 40, True  # one that is known for long may turn away
    assert face.shows(1.0)


def test_a_face_with_its_surroundings_is_taken_for_the_face_alone() -> None:
    frame = next(iter(film([actor(0, (320, 240), sway=0.0)], 1)))
    x, y, side, _ = frame.truths[0].box
    centre = x + side / 2, y + side / 2
    pyramid = Pyramid(frame.gray)
    network = Faceness()
    assert network.at(pyramid, *centre, side) >= CLEARLY
    assert network.at(pyramid, *centre, 1.9 * side) < NO


def test_where_the_network_sees_no_face_any_more_nobody_is_followed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    frames = list(film([actor(0, (300, 220), (1.0, 0.0))], 50))
    tracker = Tracker()
    shown = []
    for index, frame in enumerate(frames):
        if index == 30:  # the cascades go on to see it, and it looks as it did
            monkeypatch.setattr(Faceness, "at", lambda *arguments: -9.0)
        shown.append(len(tracker.update(frame.gray, index / FPS)))
    assert shown[29] == 1
    assert sum(shown[40:]) == 0


def test_a_face_that_no_cascade_confirms_is_followed_if_the_network_is_certain(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Looker, "hits", lambda *arguments: [])
    frames = list(film([actor(0, (300, 220), (1.0, 0.0))], 30))
    tracker = Tracker()
    tracks = [tracker.update(frame.gray, index / FPS) for index, frame in enumerate(frames)]
    assert [track.id for track in tracks[-1]] == [1]
    box = tracks[-1][0].place
    x, y, side, _ = frames[-1].truths[0].box
    assert iou((box[0] - box[2] / 2, box[1] - box[2] / 2, box[2], box[2]), (x, y, side, side)) > 0.5


def test_the_search_corrects_a_size_that_nobody_else_does(monkeypatch: pytest.MonkeyPatch) -> None:
    frames = list(film([actor(0, (300, 220), (1.0, 0.0))], 60, pan=12.0))
    tracker = Tracker()
    for index, frame in enumerate(frames):
        if index == 15:
            monkeypatch.setattr(Looker, "hits", lambda *arguments: [])
            monkeypatch.setattr(Faceness, "near", lambda network, pyramid, at, *odds: (at, CLEARLY))
            face = tracker._tracks[0]
            face.side *= 1.35
            face.own = patch(Pyramid(frames[14].gray), *face.place)
        tracks = tracker.update(frame.gray, index / FPS)
    assert [track.id for track in tracks] == [1]
    assert tracks[0].side == pytest.approx(frames[-1].truths[0].box[2], rel=0.15)


def test_who_is_known_is_no_new_place(monkeypatch: pytest.MonkeyPatch) -> None:
    tracker = Tracker()
    for index, frame in enumerate(film([actor(0, (300, 220), (1.0, 0.0))], 60, pan=12.0)):
        if index == 15:
            monkeypatch.setattr(
                "mien.tracking.tracker.examine", lambda *arguments: pytest.fail("examined")
            )
        tracks = tracker.update(frame.gray, index / FPS)
    assert [track.id for track in tracks] == [1]
