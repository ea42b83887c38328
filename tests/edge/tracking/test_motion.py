"""Where a picture has changed: noise is no change, slow movement is, and a cut is noticed."""

from __future__ import annotations

import numpy as np
from mien.pyramid import Gray
from mien.tracking.motion import Motion

RNG = np.random.default_rng(4)
SCENE = RNG.integers(60, 190, (60, 80)).astype(np.uint8)


def noisy(picture: Gray, sigma: float) -> Gray:
    return np.clip(picture + RNG.normal(0, sigma, picture.shape), 0, 255).astype(np.uint8)


def test_at_first_everything_has_changed() -> None:
    motion = Motion()
    assert motion.update(SCENE).all()
    assert motion.cut_now


def test_noise_is_no_change_once_it_is_measured() -> None:
    motion = Motion()
    share = [float((motion.update(noisy(SCENE, 2.0)) > 0).mean()) for _ in range(40)]
    assert max(share[5:]) < 0.01


def test_something_that_moves_is_a_change_just_there() -> None:
    motion = Motion()
    for _ in range(5):
        motion.update(SCENE)
    moved = SCENE.copy()
    moved[20:30, 40:50] = 255 - moved[20:30, 40:50] // 2
    changed = motion.update(moved)
    assert changed[20:30, 40:50].mean() > 128
    changed[20:30, 40:50] = 0
    assert not changed.any()
    assert not motion.update(moved).any()


def test_what_changes_slowly_adds_up() -> None:
    motion = Motion()
    seen = []
    for step in range(12):
        picture = SCENE.copy()
        picture[10:20, 10:20] += np.uint8(step)
        seen.append(motion.update(picture).any())
    assert not seen[1]
    assert any(seen[2:])


def test_a_cut_is_noticed_and_remembered_for_three_frames() -> None:
    motion = Motion()
    for _ in range(6):
        motion.update(SCENE)
    assert not motion.cut
    other = np.ascontiguousarray(255 - SCENE[::-1])
    states = []
    for _ in range(4):
        motion.update(other)
        states.append((motion.cut_now, motion.cut))
    assert states == [
        (True, True),
        (False, True),
        (False, True),
        (False, False),
    ]
