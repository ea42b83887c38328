"""Load governor and frame rate limit: keep a run within what the board can do."""

from __future__ import annotations

import time
from collections.abc import Callable

from mien.board import cpu_temperature, throttling
from mien.errors import UserError

AUTO_LOAD = 0.85  # share of the time between two frames that `auto` may spend on one
MIN_COMPUTE_BUDGET = 0.2  # below it faces would be lost: then frames are dropped instead
RAISE_BUDGET_BELOW = 0.7  # share of the allowed load below which the budget rises again
ADJUST_INTERVAL_S = 0.5  # s between two changes of the budget
BOARD_CHECK_INTERVAL_S = 5.0  # s between two readings of the board's temperature
HOT_C = 80.0  # deg C, from which a Raspberry Pi lowers its clock
COOLED_DOWN_C = 77.0  # deg C, under which it has cooled down
THROTTLING_REASONS = {"throttled", "soft temperature limit"}  # of mien.board.THROTTLE_BITS
HOT_COMPUTE_BUDGET = 0.4  # largest budget while the board is hot


class LoadGovernor:
    """Chooses the compute budget (0 to 1) that keeps the load at or below `allowed`.

    The load is the share of the time between two frames that is spent on one. The budget lowers how
    often faces are searched; frames are dropped only where the smallest budget is still too much.
    A board that is hot or throttled gets less, before its firmware lowers the clock.
    """

    def __init__(
        self,
        allowed: float = AUTO_LOAD,
        clock: Callable[[], float] = time.monotonic,
        hot: Callable[[bool], bool] | None = None,
    ) -> None:
        self.compute_budget = 1.0
        self._allowed = allowed
        self._clock = clock
        self._is_board_hot = hot or is_board_hot
        self._load: float | None = None
        self._adjusted = self._looked = clock()
        self._hot = False

    def update(self, busy: float, interval: float) -> float:
        """Count a frame that took `busy` s of `interval` s; return the new budget."""
        load = min(busy / interval, 10.0) if interval > 0 else 0.0
        self._load = load if self._load is None else self._load + 0.1 * (load - self._load)
        now = self._clock()
        if now - self._looked >= BOARD_CHECK_INTERVAL_S:
            self._looked = now
            self._hot = self._is_board_hot(self._hot)
        if now - self._adjusted >= ADJUST_INTERVAL_S:
            self._adjusted = now
            if self._load > self._allowed:
                self.compute_budget = max(MIN_COMPUTE_BUDGET, 0.8 * self.compute_budget)
            elif self._load < RAISE_BUDGET_BELOW * self._allowed:
                self.compute_budget = min(1.0, 1.1 * self.compute_budget)
        return min(self.compute_budget, HOT_COMPUTE_BUDGET) if self._hot else self.compute_budget


def is_board_hot(before: bool) -> bool:
    """Return whether the board is hot or throttled, if it was `before`; False if unknown."""
    state = throttling()
    if state is not None and not THROTTLING_REASONS.isdisjoint(state.now):
        return True
    degrees = cpu_temperature()
    return degrees is not None and degrees >= (COOLED_DOWN_C if before else HOT_C)


class FrameRateLimiter:
    """Limits a run to `fps` frames per second; sleeps in between."""

    def __init__(
        self,
        fps: float,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._interval = 1.0 / fps
        self._clock, self._sleep = clock, sleep
        self._due = clock()

    def wait(self) -> None:
        """Sleep until the next frame is due. A late frame does not bring the next one forward."""
        now = self._clock()
        if now < self._due:
            self._sleep(self._due - now)
        self._due = max(self._due, now) + self._interval


def allowed_load(budget: str) -> float | None:
    """Return the share of a core that `--budget` allows; None without a bound.

    `auto`, `full` or a percentage of one core. Raises UserError for anything else.
    """
    if budget in ("auto", "full"):
        return AUTO_LOAD if budget == "auto" else None
    try:
        share = float(budget.removesuffix("%")) / 100
    except ValueError:
        share = 0.0
    if not 0.01 <= share <= 1:
        raise UserError(
            f"Invalid --budget '{budget[:50]}': use auto, full or 1 to 100 (percent of one core)."
        )
    return share
