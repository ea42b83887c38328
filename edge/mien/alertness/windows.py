"""Sums over the last seconds: reading rate, PERCLOS, blinks, and how long something has lasted."""

from __future__ import annotations

from collections import deque

RATE_WINDOW_S = 2.0
RATE_LEAST_S = 0.5  # s of readings that a rate needs
MAX_STEP_S = 0.25  # s that one reading stands for at most


class ReadingRate:
    """Readings a second over the last seconds."""

    def __init__(self) -> None:
        self._times: deque[float] = deque()

    def add(self, now: float) -> float | None:
        """Count a reading; return the rate, or None after too short a time."""
        self._times.append(now)
        while now - self._times[0] > RATE_WINDOW_S:
            self._times.popleft()
        span = now - self._times[0]
        return (len(self._times) - 1) / span if span >= RATE_LEAST_S else None


class ClosureWindow:
    """Share of time with closed eyes, and blinks, over a window of seen eyes."""

    def __init__(self, window_s: float) -> None:
        self.seen_s = 0.0  # s within the window in which the eyes were seen
        self._window_s = window_s
        self._closed_s = 0.0
        self._steps: deque[tuple[float, float, bool]] = deque()  # time, s, closed
        self._blinks: deque[float] = deque()
        self._last: float | None = None

    def add(self, now: float, closed: bool) -> None:
        """Take in a reading."""
        step = 0.0 if self._last is None else min(now - self._last, MAX_STEP_S)
        self._last = now
        self._steps.append((now, step, closed))
        self.seen_s += step
        self._closed_s += step * closed

    def pause(self) -> None:
        """Take in that the eyes cannot be told: the time until the next reading is not counted."""
        self._last = None

    def blink(self, now: float) -> None:
        """Count a blink."""
        self._blinks.append(now)

    def forget(self, now: float) -> None:
        """Drop what lies before the window."""
        while self._steps and now - self._steps[0][0] > self._window_s:
            _, step, closed = self._steps.popleft()
            self.seen_s -= step
            self._closed_s -= step * closed
        while self._blinks and now - self._blinks[0] > self._window_s:
            self._blinks.popleft()

    @property
    def closed_share(self) -> float:
        """Share of the time seen with the eyes closed."""
        return min(1.0, max(0.0, self._closed_s / self.seen_s)) if self.seen_s > 0 else 0.0

    @property
    def blinks_a_minute(self) -> float:
        """Blinks by the time seen."""
        return 60 * len(self._blinks) / self.seen_s if self.seen_s > 0 else 0.0


class Stretch:
    """How long a condition has held without interruption; short gaps are bridged."""

    def __init__(self, gap_s: float) -> None:
        self.since: float | None = None
        self._gap_s = gap_s
        self._held = 0.0  # time at which it held last

    def update(self, now: float, holds: bool | None) -> float:
        """Take in whether it holds (None: cannot be told); return for how long it has, s."""
        if holds:
            if self.since is None or now - self._held > self._gap_s:
                self.since = now
            self._held = now
        elif self.since is not None and now - self._held > self._gap_s:
            self.since = None
        return 0.0 if self.since is None else now - self.since
