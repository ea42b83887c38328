from __future__ import annotations

import pytest
from mien.errors import UserError
from mien.runtime.governor import (
    AUTO_LOAD,
    HOT_COMPUTE_BUDGET,
    MIN_COMPUTE_BUDGET,
    FrameRateLimiter,
    LoadGovernor,
    allowed_load,
)


class Clock:
    """A clock that goes on when somebody sleeps."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        assert seconds > 0
        self.now += seconds


def run(pace: LoadGovernor, clock: Clock, load: float, seconds: float, fps: float = 30.0) -> float:
    compute_budget = pace.compute_budget
    for _ in range(round(seconds * fps)):
        clock.now += 1 / fps
        compute_budget = pace.update(load / fps, 1 / fps)
    return compute_budget


def cool(before: bool) -> bool:
    return False


def test_a_light_load_leaves_the_effort_alone() -> None:
    clock = Clock()
    assert run(LoadGovernor(AUTO_LOAD, clock, cool), clock, 0.5, 20) == 1.0


def test_too_much_lowers_the_effort_step_by_step_and_never_to_nothing() -> None:
    clock = Clock()
    pace = LoadGovernor(AUTO_LOAD, clock, cool)
    first = run(pace, clock, 1.2, 2)
    assert MIN_COMPUTE_BUDGET < first < 1.0
    assert run(pace, clock, 1.2, 30) == MIN_COMPUTE_BUDGET


def test_the_effort_rises_again_and_stays_between() -> None:
    clock = Clock()
    pace = LoadGovernor(AUTO_LOAD, clock, cool)
    run(pace, clock, 1.2, 30)
    assert run(pace, clock, 0.3, 30) == 1.0
    low = run(pace, clock, 1.2, 1.5)
    assert run(pace, clock, 0.8 * AUTO_LOAD, 30) == pytest.approx(
        low, rel=0.3
    )  # neither up nor down


def test_one_slow_frame_changes_nothing() -> None:
    clock = Clock()
    pace = LoadGovernor(AUTO_LOAD, clock, cool)
    run(pace, clock, 0.4, 5)
    pace.update(0.1, 1 / 30)
    assert run(pace, clock, 0.4, 5) == 1.0


def test_a_hot_board_is_spared_until_it_has_cooled_down() -> None:
    clock, states = Clock(), []
    answers = iter([False, True, True, False, False])

    def board(before: bool) -> bool:
        states.append(before)
        return next(answers)

    pace = LoadGovernor(AUTO_LOAD, clock, board)
    assert run(pace, clock, 0.1, 6) == 1.0
    assert run(pace, clock, 0.1, 5) == HOT_COMPUTE_BUDGET
    run(pace, clock, 0.1, 5)
    assert run(pace, clock, 0.1, 5) == 1.0
    assert states == [False, False, True, True]


def test_a_cap_sleeps_and_does_not_make_up_for_what_was_late() -> None:
    clock = Clock()
    cap = FrameRateLimiter(10, clock, clock.sleep)
    times = []
    for work in (0.0, 0.03, 0.03, 0.5, 0.0, 0.0):
        cap.wait()
        times.append(round(clock.now - 100, 3))
        clock.now += work
    assert times == [0.0, 0.1, 0.2, 0.3, 0.8, 0.9]


@pytest.mark.parametrize(
    ("budget", "share"),
    [("auto", AUTO_LOAD), ("full", None), ("50", 0.5), ("30%", 0.3), ("100", 1.0)],
)
def test_what_a_budget_allows(budget: str, share: float | None) -> None:
    assert allowed_load(budget) == share


@pytest.mark.parametrize("budget", ["", "0", "101", "-5", "much", "nan", "inf"])
def test_no_budget(budget: str) -> None:
    with pytest.raises(UserError, match="use auto, full or 1 to 100"):
        allowed_load(budget)
