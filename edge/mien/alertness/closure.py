"""Closures of the eyes: when they began, how long they have lasted, which were blinks."""

from __future__ import annotations

from mien.alertness.config import AlertnessConfig

UNKNOWN_S = 0.5  # s for which a closure goes on while the eyes cannot be told
OPEN_READINGS = 2  # in a row end a closure; a single one may be an error


class Closures:
    """The eyes of one face."""

    def __init__(self, config: AlertnessConfig) -> None:
        self.since: float | None = None  # s, when the present closure began
        self._config = config
        self._told = 0.0  # s, when the eyes were last told
        self._opened: float | None = None  # s, the first of the open readings in a row
        self._open_readings = 0

    def update(self, now: float, openness: float | None) -> bool:
        """Take in the openness of the eyes, None where it cannot be told.

        Returns whether a blink has ended: a closure shorter than a long blink.
        """
        if openness is None:
            if self.since is not None and now - self._told > UNKNOWN_S:
                self._reset()
            return False
        self._told = now
        if self.since is None:
            if openness <= self._config.closed:
                self.since = now
            return False
        if openness < self._config.reopened:
            self._opened, self._open_readings = None, 0
            return False
        if self._opened is None:
            self._opened = now
        self._open_readings += 1
        if self._open_readings < OPEN_READINGS:
            return False
        blink = self._opened - self.since < self._config.long_blink_s
        self._reset()
        return blink

    def lasted(self, now: float) -> float:
        """Return for how long the eyes have been closed, s; 0 where they are open."""
        if self.since is None:
            return 0.0
        return (now if self._opened is None else self._opened) - self.since

    def _reset(self) -> None:
        self.since, self._opened, self._open_readings = None, None, 0
