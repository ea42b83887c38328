"""Alertness of one track: from readings to signals and events.

Pure logic: what it says follows from the readings and their times alone.
"""

from __future__ import annotations

from collections import deque

from mien.alertness.baseline import Baseline, BaselineEstimator
from mien.alertness.closure import Closures
from mien.alertness.config import AlertnessConfig
from mien.alertness.signals import (
    DARK,
    EVENTS,
    HEAD_DROP,
    HIDDEN,
    LONG_BLINK,
    MICROSLEEP,
    NO_LANDMARKS,
    PERCLOS,
    SLEEP,
    SLOW,
    SMALL,
    STARTING,
    TURNED,
    UNRESPONSIVE,
    YAWNING,
    Alertness,
    AlertnessEvent,
    Observation,
)
from mien.alertness.windows import ClosureWindow, ReadingRate, Stretch

GAP_S = 0.3  # s for which a yawn or a head turned away may be misread
EPSILON_S = 1e-6  # s, for times that are sums of frame intervals
AHEAD, DOWN, TURNED_AWAY = "ahead", "down", "turned"


class TrackMonitor:
    """Signals and events of one face over time.

    Args:
        config: thresholds.
        baseline: of the person, where it is known; else the first seconds give it.
    """

    def __init__(
        self, config: AlertnessConfig | None = None, baseline: Baseline | None = None
    ) -> None:
        self._config = config = config or AlertnessConfig()
        self._known = baseline
        self._estimator = BaselineEstimator(config)
        self._rate = ReadingRate()
        self._closures = Closures(config)
        self._window = ClosureWindow(config.window_s)
        self._away = Stretch(GAP_S)
        self._yawn = Stretch(GAP_S)
        self._yawned = False  # whether the present yawn has been counted
        self._yawns: deque[float] = deque()
        self._pitches: deque[tuple[float, float]] = deque()
        self._dropped_at: float | None = None
        self._seen: deque[tuple[float, float]] = deque()
        self._active: tuple[str, ...] = ()

    @property
    def baseline(self) -> Baseline:
        """The person's baseline, as far as it is known."""
        return self._known or self._estimator.baseline

    def update(self, reading: Observation) -> Alertness:
        """Take in a reading, later than the one before; return what can be told now."""
        now, config = reading.time, self._config
        rate = self._rate.add(now)
        reasons: dict[str, str] = {}
        eyes = self._eyes(reading, reasons)
        if eyes is not None:
            self._estimator.add(reading)
        openness = None if eyes is None else (eyes[0] + eyes[1]) / 2
        if self._closures.update(now, openness):
            self._window.blink(now)
        if openness is None:
            self._window.pause()
        else:
            self._window.add(now, openness <= config.closed)
        self._window.forget(now)
        head = self._head(reading, reasons)
        closed = self._closures.since is not None
        looking = self._looking(reading, head, closed)
        yawn = self._yawning(reading, reasons)
        if looking is None:
            reasons["looking"] = reasons["head"]
        minute = self._minute_reason(rate, reasons)
        if minute is not None:
            reasons["blinks"] = reasons["perclos"] = minute
        perclos = None if minute else self._window.closed_share
        begun = self._begun(now, head, perclos)
        active = tuple(kind for kind in EVENTS if kind in begun)
        events = tuple(
            AlertnessEvent(kind, now, begun[kind]) for kind in active if kind not in self._active
        )
        self._active = active
        return Alertness(
            left_eye=None if eyes is None else eyes[0],
            right_eye=None if eyes is None else eyes[1],
            blinks=None if minute else self._window.blinks_a_minute,
            perclos=perclos,
            yawn=yawn,
            head=head,
            looking=looking,
            active=active,
            events=events,
            reasons=reasons,
        )

    def _eyes(self, reading: Observation, reasons: dict[str, str]) -> tuple[float, float] | None:
        """Return the openness of both eyes, or None and the reason in `reasons`."""
        config = self._config
        reason = self._unreadable(reading, config.readable_yaw)
        if reason is None and reading.pose is not None:
            if reading.pose.pitch - self.baseline.pitch > config.down:
                reason = TURNED
            elif reading.contrast < config.readable_contrast:
                reason = DARK
            elif reading.eyes is None or self._hidden(reading):
                reason = HIDDEN
        if reason is not None or reading.eyes is None:
            reasons["eyes"] = reason or HIDDEN
            return None
        left, right = reading.eyes
        usual = self.baseline
        return min(1.0, left.open / usual.left_open), min(1.0, right.open / usual.right_open)

    def _unreadable(self, reading: Observation, yaw: float) -> str | None:
        """Return why no part of the face can be read, None where one can; `yaw` is the limit."""
        if reading.pose is None:
            return NO_LANDMARKS
        if reading.side < self._config.readable_side:
            return SMALL
        if abs(reading.pose.yaw) > yaw:
            return TURNED
        return DARK if reading.light < self._config.readable_light else None

    def _hidden(self, reading: Observation) -> bool:
        """Whether the eyes have been hidden on average of the last readings."""
        assert reading.eyes is not None
        self._seen.append((reading.time, min(eye.seen for eye in reading.eyes)))
        while reading.time - self._seen[0][0] > self._config.readable_seen_s:
            self._seen.popleft()
        mean = sum(seen for _, seen in self._seen) / len(self._seen)
        return mean < self._config.readable_seen

    def _head(self, reading: Observation, reasons: dict[str, str]) -> str | None:
        if reading.pose is None or reading.side < self._config.readable_side:
            reasons["head"] = NO_LANDMARKS if reading.pose is None else SMALL
            self._pitches.clear()
            return None
        pitch = reading.pose.pitch - self.baseline.pitch
        self._pitches.append((reading.time, pitch))
        while reading.time - self._pitches[0][0] > self._config.head_drop_s + EPSILON_S:
            self._pitches.popleft()
        if self._pitch_now() > self._config.down:
            return DOWN
        if abs(reading.pose.yaw - self.baseline.yaw) > self._config.turned:
            return TURNED_AWAY
        return AHEAD

    def _pitch_now(self) -> float:
        """Return the median pitch of the last three readings: one error moves no head."""
        last = sorted(pitch for _, pitch in list(self._pitches)[-3:])
        return last[len(last) // 2] if len(last) == 3 else last[0]

    def _looking(self, reading: Observation, head: str | None, closed: bool) -> bool | None:
        if head is None or reading.pose is None:
            return None
        within = (
            abs(reading.pose.yaw) <= self._config.looking_yaw
            and abs(reading.pose.pitch) <= self._config.looking_pitch
        )
        return within and not closed

    def _yawning(self, reading: Observation, reasons: dict[str, str]) -> bool | None:
        config = self._config
        reason = self._unreadable(reading, config.turned)
        if reason is None and reading.mouth is None:
            reason = STARTING
        told = None if reason or reading.mouth is None else reading.mouth >= config.yawn
        lasted = self._yawn.update(reading.time, told)
        yawning = lasted >= config.yawn_s - EPSILON_S
        if yawning and not self._yawned:
            self._yawns.append(reading.time)
        self._yawned = yawning
        while self._yawns and reading.time - self._yawns[0] > config.yawns_window_s:
            self._yawns.popleft()
        if reason is not None:
            reasons["yawn"] = reason
            return None
        return yawning

    def _minute_reason(self, rate: float | None, reasons: dict[str, str]) -> str | None:
        """Return why nothing can be told of the last minute, None where it can."""
        if rate is not None and rate < self._config.readable_rate:
            return SLOW
        if self._window.seen_s >= self._config.window_least_s - EPSILON_S:
            return None
        return reasons.get("eyes", STARTING)

    def _begun(self, now: float, head: str | None, perclos: float | None) -> dict[str, float]:
        """Return the events that go on, with the time at which each began."""
        config = self._config
        begun: dict[str, float] = {}
        # Eyes count as closed against how they usually are, which takes some seconds to know.
        known = self._known is not None or self._estimator.ready
        since = self._closures.since if known else None
        lasted = self._closures.lasted(now) + EPSILON_S
        if since is not None:
            for kind, threshold in (
                (LONG_BLINK, config.long_blink_s),
                (MICROSLEEP, config.microsleep_s),
                (SLEEP, config.sleep_s),
            ):
                if lasted >= threshold:
                    begun[kind] = since
        away = None if head is None and since is None else since is not None or head != AHEAD
        if self._away.update(now, away) + EPSILON_S >= config.unresponsive_s:
            assert self._away.since is not None
            begun[UNRESPONSIVE] = self._away.since
        was = PERCLOS in self._active
        if perclos is None:
            if was and self._window.seen_s > 0:
                begun[PERCLOS] = now
        elif perclos > (config.perclos_over if was else config.perclos):
            begun[PERCLOS] = now
        if len(self._yawns) >= config.yawns:
            begun[YAWNING] = self._yawns[0]
        if self._head_dropped(now, head):
            assert self._dropped_at is not None
            begun[HEAD_DROP] = self._dropped_at
        return begun

    def _head_dropped(self, now: float, head: str | None) -> bool:
        """Whether the head is down since it sank by `down` within `head_drop_s`."""
        if head is None:
            return self._dropped_at is not None
        if head != DOWN:
            self._dropped_at = None
        elif self._dropped_at is None and self._pitches:
            highest = min(self._pitches, key=lambda row: row[1])
            if self._pitch_now() - highest[1] >= self._config.down:
                self._dropped_at = highest[0]
        return self._dropped_at is not None
