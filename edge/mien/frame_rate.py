"""Frame rate over a sliding window."""

from __future__ import annotations

from collections import deque

MAX_FRAMES = 1000  # arrival times kept: bounds the memory at very high rates
STALE_S = 0.5  # s without a frame before the rate begins to sink


class FrameRate:
    """Frames per second of the last `window_s` seconds; times are seconds of one clock."""

    def __init__(self, window_s: float) -> None:
        self._window_s = window_s
        self._times: deque[float] = deque(maxlen=MAX_FRAMES)

    def add(self, now: float) -> None:
        """Count a frame that arrived at `now`."""
        self._times.append(now)

    def at(self, now: float) -> float:
        """Return the rate at `now`; 0 with fewer than two frames in the window."""
        recent = [time for time in self._times if now - time <= self._window_s]
        if len(recent) < 2:
            return 0.0
        return (len(recent) - 1) / max(recent[-1] - recent[0], now - recent[0] - STALE_S, 1e-3)
