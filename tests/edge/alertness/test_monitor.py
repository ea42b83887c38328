"""Signals and events of scripted readings."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
from mien.alertness import signals
from mien.alertness.baseline import Baseline
from mien.alertness.config import AlertnessConfig
from mien.alertness.head import HeadPose
from mien.alertness.monitor import TrackMonitor
from mien.alertness.signals import Alertness, AlertnessEvent, EyeReading, Observation

FPS = 15.0
AWAKE = Observation(
    0.0, 120.0, HeadPose(0, 0, 0), (EyeReading(0.98, 0.99), EyeReading(0.97, 0.99)), mouth=0.02
)
Script = Callable[[float], Observation]


def eyes(opened: float, seen: float = 0.99) -> Observation:
    return replace(AWAKE, eyes=(EyeReading(opened, seen), EyeReading(opened, seen)))


def pose(yaw: float = 0.0, pitch: float = 0.0) -> Observation:
    return replace(AWAKE, pose=HeadPose(yaw, pitch, 0))


def play(
    script: Script, seconds: float, fps: float = FPS, monitor: TrackMonitor | None = None
) -> Iterator[Alertness]:
    monitor = monitor or TrackMonitor()
    for frame in range(round(seconds * fps) + 1):
        now = frame / fps
        yield monitor.update(replace(script(now), time=now))


def last(script: Script, seconds: float, fps: float = FPS) -> Alertness:
    return list(play(script, seconds, fps))[-1]


def events(script: Script, seconds: float, fps: float = FPS) -> list[AlertnessEvent]:
    return [event for told in play(script, seconds, fps) for event in told.events]


def closed_from(begin: float, duration: float) -> Script:
    return lambda now: eyes(0.02 if begin <= now < begin + duration else 0.98)


def test_all_signals_of_an_alert_face_are_told_after_half_a_minute() -> None:
    told = last(lambda now: AWAKE, 40)
    assert told.reasons == {}
    assert told.left_eye == pytest.approx(1.0, abs=0.01)
    assert (told.blinks, told.perclos, told.yawn) == (0.0, 0.0, False)
    assert (told.head, told.looking, told.active) == ("ahead", True, ())


@pytest.mark.parametrize(
    ("observation", "reason"),
    [
        (replace(AWAKE, pose=None), signals.NO_LANDMARKS),
        (replace(AWAKE, side=59.0), signals.SMALL),
        (pose(yaw=21.0), signals.TURNED),
        (pose(pitch=25.0), signals.TURNED),
        (replace(AWAKE, light=12.0), signals.DARK),
        (replace(AWAKE, contrast=1.0), signals.DARK),
        (eyes(0.9, seen=0.1), signals.HIDDEN),
        (replace(AWAKE, eyes=None), signals.HIDDEN),
    ],
)
def test_eyes_are_null_with_the_reason(observation: Observation, reason: str) -> None:
    told = last(lambda now: observation, 40)
    assert told.left_eye is None
    assert told.right_eye is None
    assert told.perclos is None
    assert told.blinks is None
    assert {told.reasons[name] for name in ("eyes", "perclos", "blinks")} == {reason}


def test_a_single_hidden_reading_hides_no_eyes() -> None:
    told = list(play(lambda now: eyes(0.98, seen=0.01 if now == 1.0 else 0.99), 1.0))[-1]
    assert told.left_eye is not None


def test_blinks_and_perclos_are_null_under_eight_readings_a_second() -> None:
    slow = last(lambda now: AWAKE, 60, fps=7)
    assert slow.blinks is None
    assert slow.reasons["blinks"] == signals.SLOW
    assert slow.perclos is None
    assert slow.reasons["perclos"] == signals.SLOW
    assert slow.left_eye is not None
    assert last(lambda now: AWAKE, 60, fps=10).perclos == 0.0


def test_blinks_and_perclos_are_null_before_half_a_minute() -> None:
    told = last(lambda now: AWAKE, 29)
    assert told.perclos is None
    assert told.reasons["perclos"] == signals.STARTING
    assert told.blinks is None
    assert told.reasons["blinks"] == signals.STARTING


@pytest.mark.parametrize(
    ("observation", "reason"),
    [
        (replace(AWAKE, pose=None), signals.NO_LANDMARKS),
        (replace(AWAKE, side=40.0), signals.SMALL),
    ],
)
def test_head_and_looking_are_null_with_the_reason(observation: Observation, reason: str) -> None:
    told = last(lambda now: observation, 2)
    assert told.head is None
    assert told.looking is None
    assert told.reasons["head"] == told.reasons["looking"] == reason


@pytest.mark.parametrize(
    ("observation", "reason"),
    [
        (replace(AWAKE, pose=None), signals.NO_LANDMARKS),
        (replace(AWAKE, side=40.0), signals.SMALL),
        (pose(yaw=45.0), signals.TURNED),
        (replace(AWAKE, light=10.0), signals.DARK),
        (replace(AWAKE, mouth=None), signals.STARTING),
    ],
)
def test_yawn_is_null_with_the_reason(observation: Observation, reason: str) -> None:
    told = last(lambda now: observation, 2)
    assert told.yawn is None
    assert told.reasons["yawn"] == reason


def test_blinks_of_a_minute_are_counted() -> None:
    told = last(lambda now: eyes(0.02 if now % 4 < 0.2 else 0.98), 60)
    assert told.blinks == pytest.approx(15, abs=1)
    assert told.active == ()


def test_perclos_is_the_share_of_the_last_minute() -> None:
    told = last(lambda now: eyes(0.02 if now % 4 < 0.4 else 0.98), 100)
    assert told.perclos == pytest.approx(0.1, abs=0.02)


def test_perclos_above_its_threshold_is_one_event() -> None:
    script: Script = lambda now: eyes(0.02 if now % 2 < 0.4 else 0.98)  # noqa: E731
    assert [event.kind for event in events(script, 120)] == ["perclos"]


@pytest.mark.parametrize(
    ("duration", "kinds"),
    [
        (0.3, []),
        (0.7, ["long_blink"]),
        (1.5, ["long_blink", "microsleep"]),
        (4.0, ["long_blink", "microsleep", "sleep"]),
        (6.6, ["long_blink", "microsleep", "sleep", "unresponsive"]),
    ],
)
def test_a_closure_becomes_the_events_of_its_length(duration: float, kinds: list[str]) -> None:
    assert [event.kind for event in events(closed_from(10, duration), 20)] == kinds


@pytest.mark.parametrize(
    ("kind", "threshold"),
    [("long_blink", 0.5), ("microsleep", 1.0), ("sleep", 3.0), ("unresponsive", 6.0)],
)
def test_an_event_comes_within_its_threshold_and_150_ms(kind: str, threshold: float) -> None:
    for begin in (10.0, 10.01, 10.03, 10.06):
        found = next(event for event in events(closed_from(begin, 8), 20) if event.kind == kind)
        assert begin + threshold - 1e-6 <= found.time <= begin + threshold + 0.15


def test_an_event_is_active_until_the_eyes_open() -> None:
    told = [state.active for state in play(closed_from(6, 2), 10)]
    assert "microsleep" in told[round(7.5 * FPS)]
    assert told[round(8.5 * FPS)] == ()


def test_one_open_reading_does_not_end_a_closure() -> None:
    frame = 1 / FPS
    script: Script = lambda now: eyes(  # noqa: E731
        0.02 if 6 <= now < 8 and not 6.6 <= now < 6.6 + frame else 0.98
    )
    assert [event.kind for event in events(script, 10)] == ["long_blink", "microsleep"]


def test_a_wink_is_no_closure() -> None:
    wink = replace(AWAKE, eyes=(EyeReading(0.01, 0.99), EyeReading(0.98, 0.99)))
    assert events(lambda now: wink, 10) == []


def test_narrow_eyes_count_by_their_own_baseline() -> None:
    monitor = TrackMonitor(baseline=Baseline(left_open=0.6, right_open=0.6))
    told = list(play(lambda now: eyes(0.6), 1, monitor=monitor))[-1]
    assert told.left_eye == pytest.approx(1.0)


def test_the_baseline_is_taken_from_the_first_seconds() -> None:
    monitor = TrackMonitor()
    list(play(lambda now: replace(eyes(0.7), pose=HeadPose(10, -8, 0)), 31, monitor=monitor))
    assert monitor.baseline.left_open == pytest.approx(0.7)
    assert (monitor.baseline.yaw, monitor.baseline.pitch) == pytest.approx((10, -8))


def test_looking_away_for_six_seconds_is_unresponsive() -> None:
    assert [e.kind for e in events(lambda now: pose(45 if now > 10 else 0), 15)] == []
    assert [e.kind for e in events(lambda now: pose(45 if now > 10 else 0), 17)] == ["unresponsive"]


def test_head_positions_count_from_the_baseline() -> None:
    seated = TrackMonitor(baseline=Baseline(yaw=12.0, pitch=-10.0))
    states = [
        seated.update(replace(pose(yaw, pitch), time=now)).head
        for now, (yaw, pitch) in enumerate([(12, -10), (38, -10), (50, -10)])
    ]
    assert states == ["ahead", "ahead", "turned"]


def test_a_head_that_sinks_within_a_second_drops() -> None:
    nod: Script = lambda now: pose(pitch=min(30.0, max(0.0, 60 * (now - 10))))  # noqa: E731
    assert [event.kind for event in events(nod, 12)] == ["head_drop"]


def test_a_head_that_sinks_slowly_does_not_drop() -> None:
    bow: Script = lambda now: pose(pitch=min(30.0, max(0.0, 10 * (now - 10))))  # noqa: E731
    assert events(bow, 16) == []


def test_a_single_wrong_landmark_drops_no_head() -> None:
    assert events(lambda now: pose(pitch=40 if now == 10.0 else 0), 12) == []


def test_three_yawns_in_five_minutes_are_an_event() -> None:
    def script(now: float) -> Observation:
        return replace(AWAKE, mouth=0.95 if now % 60 < 4 and now >= 60 else 0.02)

    found = events(script, 200)
    assert [event.kind for event in found] == ["yawning"]
    assert found[0].time == pytest.approx(180 + AlertnessConfig().yawn_s, abs=0.1)


def test_a_short_word_is_no_yawn() -> None:
    told = list(play(lambda now: replace(AWAKE, mouth=0.9 if now % 2 < 0.8 else 0.02), 20))
    assert not any(state.yawn for state in told)


def test_json_has_every_signal_and_the_reasons() -> None:
    content = last(lambda now: pose(yaw=25), 2).to_json()
    assert set(signals.SIGNALS) < set(content)
    assert content["eyes"] is None
    assert content["why"]["eyes"] == signals.TURNED


def test_closures_are_events_once_the_person_is_known() -> None:
    closed: Script = lambda now: eyes(0.1)  # noqa: E731
    told = list(play(closed, 5.5))
    assert all(not state.active for state in told[: round(4.9 * FPS)])
    assert "sleep" in told[-1].active
