"""Keeps a run within what the board can do: how hard to search, and how often to take a frame."""

from __future__ import annotations

import time
from collections.abc import Callable

from mien.board import cpu_temperature, throttling
from mien.errors import UserError

AUTO_LOAD = 0.85  # share of the time between two frames that may be spent on one, with `auto`
MIN_COMPUTE_BUDGET = 0.2  # effort; under it faces would be lost, and frames are dropped instead
RAISE_BUDGET_BELOW = 0.7  # share of the allowed load under which the effort rises again
ADJUST_INTERVAL_S = 0.5  # s between two changes of the effort
BOARD_CHECK_INTERVAL_S = 5.0  # s between two looks at the board's temperature
HOT_C = 80.0  # deg C, from which a Raspberry Pi lowers its clock
COOLED_DOWN_C = 77.0  # deg C, under which it has cooled down
THROTTLING_REASONS = {"throttled", "soft temperature limit"}  # of mien.board.THROTTLE_BITS
HOT_COMPUTE_BUDGET = 0.4  # the most that is spent while it is hot


class LoadGovernor:
    """Chooses the effort (0 to 1) that keeps the load at or under `allowed`.

    The load is the share of the time between two frames that is spent on one. Searching less often
    comes before dropping frames: only where the least effort is still too much does a live source
    replace frames unseen. A board that is hot or throttled is spared, before its clock is lowered
    for it.
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
        """Count a frame that took `busy` s of `interval` s; return the effort from now on."""
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
    """Whether the board is to be spared, if it was `before`; False where it does not say."""
    state = throttling()
    if state is not None and not THROTTLING_REASONS.isdisjoint(state.now):
        return True
    degrees = cpu_temperature()
    return degrees is not None and degrees >= (COOLED_DOWN_C if before else HOT_C)


class FrameRateLimiter:
    """Holds a run at `fps` frames a second at most; the CPU sleeps meanwhile."""

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
        """Sleep until the next frame is due; what was late is not made up for."""
        now = self._clock()
        if now < self._due:
            self._sleep(self._due - now)
        self._due = max(self._due, now) + self._interval


def allowed_load(budget: str) -> float | None:
    """Return what `--budget` allows, a share of a core; None for no bound.

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
            f"--budget {budget} is none: give auto, full, or the percentage of one core that may "
            "be used, 1 to 100."
        )
    return share
