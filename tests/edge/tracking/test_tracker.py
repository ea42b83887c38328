"""The tracker through `Tracker.update`: real pictures of two people, detections by script."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from mien.detection.base import Detection
from mien.tracking.track import TrackState
from mien.tracking.tracker import Tracker, TrackerConfig
from scripted import FPS, HEIGHT, WIDTH, Actor, Path, ScriptedDetector, at, follow, render, walk


def watched(actors: Sequence[Actor], seconds: float, **options: object) -> list[list[int | None]]:
    """Return the ids on the actors, frame by frame."""
    detector = ScriptedDetector()
    tracker = Tracker(detector, **options)  # type: ignore[arg-type]
    return [ids for _, _, ids in follow(tracker, detector, render(actors, seconds))]


def absent(path: Path, start: float, end: float) -> Path:
    return lambda time: None if start <= time < end else path(time)


def test_a_face_is_shown_from_the_first_frame_on_under_one_id() -> None:
    ids = watched([Actor(0, at(200)), Actor(1, at(450))], 2)
    assert ids == [[1, 2]] * len(ids)


def test_two_who_cross_keep_their_ids() -> None:
    ids = watched([Actor(0, walk((100, 220), (150, 0))), Actor(1, walk((540, 240), (-150, 0)))], 3)
    for actor in (0, 1):
        named = [pair[actor] for pair in ids if pair[actor] is not None]
        assert set(named) == {ids[0][actor]}
        assert len(named) > 0.7 * len(ids)  # the one behind is hidden for a while
    assert ids[-1] == ids[0]


def test_a_face_comes_out_from_behind_another_under_its_own_id() -> None:
    ids = watched([Actor(0, at(320)), Actor(1, walk((80, 240), (130, 0)))], 4)
    assert ids[0] == [1, 2]
    assert ids[-1] == [1, 2]
    assert all(pair[0] in (1, None) and pair[1] in (2, None) for pair in ids)


def test_an_id_is_given_back_to_who_returns() -> None:
    ids = watched([Actor(0, absent(at(200), 1.0, 3.0)), Actor(1, at(480))], 4)
    assert ids[-1] == [1, 2]


def test_who_returns_elsewhere_has_its_id_or_a_new_one_never_another_s() -> None:
    def path(time: float) -> tuple[float, float] | None:
        return (150, 200) if time < 1 else None if time < 5 else (420, 260)

    ids = watched([Actor(0, path), Actor(1, absent(at(450), 2.0, 99.0))], 6)
    assert ids[-1][0] == 1


def test_another_person_where_one_has_left_gets_another_id() -> None:
    ids = watched([Actor(0, absent(at(300), 1.0, 99)), Actor(1, absent(at(300), 0.0, 1.4))], 3)
    assert {pair[0] for pair in ids} == {1, None}
    assert {pair[1] for pair in ids} == {2, None}


def test_after_a_cut_nobody_is_known_and_detection_comes_at_once() -> None:
    detector = ScriptedDetector()
    tracker = Tracker(detector)
    first = list(follow(tracker, detector, render([Actor(0, at(200))], 1.03)))
    asked = len(detector.calls)
    second = follow(
        tracker,
        detector,
        render([Actor(1, at(420, 200))], 1, seed=99),
        begin=first[-1][0] + 1 / FPS,
    )
    _, tracks, ids = next(second)
    assert detector.calls[asked] == 1.0  # the whole frame, then its four windows
    assert len(detector.calls[asked:]) == 5
    assert ids == [2]
    assert [track.id for track in tracks] == [2]


def test_a_light_that_is_switched_on_changes_no_id() -> None:
    detector = ScriptedDetector()
    tracker = Tracker(detector)
    seen = []
    for index, (gray, found) in enumerate(render([Actor(0, at(300))], 1)):
        detector.found = [one for one in found if one]
        lit = np.clip(gray.astype(int) + (35 if index >= 15 else 0), 0, 255).astype(np.uint8)
        seen.append([track.id for track in tracker.update(lit, index / FPS)])
    assert seen == [[1]] * len(seen)


def test_a_crowd_has_as_many_ids_as_faces_and_no_more_than_asked_for() -> None:
    actors = [
        Actor(k % 2, at(70 + 125 * (k % 5), 130 + 220 * (k // 5)), height=80) for k in range(10)
    ]
    ids = watched(actors, 1.5)
    assert all(sorted(frame) == list(range(1, 11)) for frame in ids)  # type: ignore[type-var]
    assert all(frame == ids[0] for frame in ids)
    few = watched(actors, 0.5, max_faces=4)
    assert max(sum(one is not None for one in frame) for frame in few) == 4


def test_a_face_on_a_shirt_that_is_seen_weakly_is_never_shown() -> None:
    config = TrackerConfig()
    weak = Actor(1, at(450), height=60, score=config.start_score - 0.05)
    assert all(pair == [1, None] for pair in watched([Actor(0, at(200)), weak], 2))


def test_a_weak_new_face_waits_until_it_is_seen_again_and_a_flash_is_never_shown() -> None:
    config = TrackerConfig()
    doubtful = (config.start_score + config.confirm_score) / 2
    ids = watched([Actor(0, at(300), score=doubtful)], 1)
    assert ids[0] == [None]
    assert ids[-1] == [1]
    flash = [Actor(0, absent(at(300), 0.05, 99), score=doubtful)]
    detector = ScriptedDetector()
    tracker = Tracker(detector)
    shown = [tracks for _, tracks, _ in follow(tracker, detector, render(flash, 1))]
    assert not any(shown)


def test_weak_detections_keep_a_face_that_strong_ones_began() -> None:
    config = TrackerConfig()
    detector = ScriptedDetector()
    tracker = Tracker(detector)
    ids = []
    for index, (gray, found) in enumerate(render([Actor(0, at(300))], 2)):
        score = 0.9 if index < 5 else (config.keep_score + config.start_score) / 2
        detector.found = [Detection(one.box, score) for one in found if one]
        ids.append([track.id for track in tracker.update(gray, index / FPS)])
    assert ids == [[1]] * len(ids)


def test_what_no_detector_confirms_is_shown_for_a_moment_only() -> None:
    config = TrackerConfig()
    detector = ScriptedDetector()
    tracker = Tracker(detector)
    last = 0.0
    for index, (gray, found) in enumerate(render([Actor(0, at(300))], 3)):
        detector.found = [one for one in found if one and index < 15]
        if tracker.update(gray, index / FPS):
            last = index / FPS
    assert 0.5 < last <= 0.5 + config.hold_s + config.detect_interval_s


@pytest.mark.parametrize("fps", [10, 30, 60])
def test_detections_come_ten_times_a_second_at_any_frame_rate(fps: float) -> None:
    detector = ScriptedDetector()
    tracker = Tracker(detector)
    list(follow(tracker, detector, render([Actor(0, at(300))], 5, fps), fps))
    calls = detector.calls[5:]  # behind the first frame and its four windows
    windows = len(calls) - calls.count(1.0)
    assert 44 <= len(calls) <= 50
    assert 8 <= windows <= 10  # each of the four every two seconds


def test_a_face_that_only_windows_show_is_followed_there() -> None:
    class Nearsighted(ScriptedDetector):
        def detect(self, gray: np.ndarray) -> list[Detection]:
            found = super().detect(gray)
            return found if self.calls[-1] < 1 else []

    detector = Nearsighted()
    tracker = Tracker(detector)
    path = absent(walk((160, 130), (20, 0)), 0.0, 0.7)
    actors = [Actor(0, path, 40, score=0.75)]
    ids = [ids for _, _, ids in follow(tracker, detector, render(actors, 6))]
    assert ids[-1] == [1]
    first = next(index for index, one in enumerate(ids) if one == [1])
    assert first < 3.5 * FPS  # its window's turn comes every two seconds, then once more
    assert ids[first:] == [[1]] * (len(ids) - first)


def test_a_doubtful_face_is_looked_at_closely() -> None:
    class Unsure(ScriptedDetector):
        def detect(self, gray: np.ndarray) -> list[Detection]:
            found = super().detect(gray)
            return [replace(one, score=0.5) if self.calls[-1] == 1 else one for one in found]

    detector = Unsure()
    frames = render([Actor(0, absent(at(480, 380), 0.0, 1.0), 40)], 2)
    ids = [ids for _, _, ids in follow(Tracker(detector), detector, frames)]
    assert ids[round(1.4 * FPS)] == [1]


def test_a_small_budget_makes_them_rarer() -> None:
    detector = ScriptedDetector()
    tracker = Tracker(detector)
    tracker.compute_budget = 0.25
    list(follow(tracker, detector, render([Actor(0, at(300))], 2)))
    assert detector.calls.count(1.0) <= 6


def test_a_face_that_moves_between_detections_is_followed() -> None:
    detector = ScriptedDetector()
    tracker = Tracker(detector, TrackerConfig(detect_interval_s=0.5, fine_interval_s=60))
    actors = [Actor(0, walk((120, 240), (160, 20)))]
    off = []
    for (_, tracks, _), (_, found) in zip(
        follow(tracker, detector, render(actors, 2)), render(actors, 2), strict=True
    ):
        (track,), (one,) = tracks, found
        assert one is not None
        off.append(abs(track.x - one.box[0] - one.box[2] / 2))
        assert track.landmarks is not None
        assert one.landmarks is not None
        assert np.abs(np.subtract(track.landmarks, one.landmarks)).max() < 8
    assert max(off) < 6
    assert tracks[0].vx == pytest.approx(160, abs=40)


def test_a_still_face_is_called_still_and_a_moving_one_is_not() -> None:
    detector = ScriptedDetector()
    tracker = Tracker(detector)
    actors = [Actor(0, lambda _: (160, 240)), Actor(1, walk((400, 240), (60, 0)))]
    tracks = [tracks for _, tracks, _ in follow(tracker, detector, render(actors, 2))]
    still = [[track.still for track in both] for both in tracks[10:]]
    assert np.mean([pair[0] for pair in still]) > 0.8
    assert np.mean([pair[1] for pair in still]) < 0.2


def test_ids_go_on_after_a_pause_and_a_change_of_size() -> None:
    detector = ScriptedDetector()
    tracker = Tracker(detector)
    seen = list(follow(tracker, detector, render([Actor(0, at(200))], 0.2)))
    seen += list(follow(tracker, detector, render([Actor(1, at(400))], 0.2), begin=60))
    assert [seen[0][2], seen[-1][2]] == [[1], [2]]
    gray = np.full((240, 320), 90, np.uint8)
    detector.found = []
    assert tracker.update(gray, 61) == []
    seen = list(follow(tracker, detector, render([Actor(0, at(200))], 0.2), begin=30))  # back
    assert seen[-1][2] == [3]


def test_two_tracks_on_one_face_become_one() -> None:
    detector = ScriptedDetector()
    tracker = Tracker(detector)
    for index, (gray, found) in enumerate(render([Actor(0, at(300))], 1)):
        (one,) = found
        assert one is not None
        x, y, w, h = one.box
        near = Detection((x + 0.3 * w, y, w, h), 0.95) if 6 < index < 12 else None
        detector.found = [one, near] if near else [one]
        tracks = tracker.update(gray, index / FPS)
    assert [track.state for track in tracks] == [TrackState.CONFIRMED]


@pytest.mark.parametrize("shape", [(1, 1), (3, 500), (20, 20), (121, 97)])
def test_odd_sizes_and_flat_pictures_do_no_harm(shape: tuple[int, int]) -> None:
    detector = ScriptedDetector()
    tracker = Tracker(detector)
    detector.found = [Detection((0.0, 0.0, float(shape[1]), float(shape[0])), 0.9)]
    for index in range(8):
        tracker.update(np.full(shape, 99, np.uint8), index / FPS)


def test_a_box_beyond_the_border_is_followed_while_its_middle_is_inside() -> None:
    detector = ScriptedDetector()
    tracker = Tracker(detector)
    actors = [Actor(0, walk((500, 240), (120, 0)))]
    last = [len(tracks) for _, tracks, _ in follow(tracker, detector, render(actors, 2))]
    assert last[15] == 1
    assert last[-1] == 0
    assert (WIDTH, HEIGHT) == (640, 480)
