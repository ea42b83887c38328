"""Training, quantising and measuring the network that searches a whole frame."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from mien.detection.ssd import ACROSS, DOWN, FINE, cells
from mien_convert.face_networks.scan import (
    CENTRE,
    LIMITS,
    build,
    measure,
    quantised,
    targets,
    train,
)
from mien_convert.face_networks.scan_frames import Frame, frames

Run = Callable[..., tuple[int, str, str]]


def squares(count: int, seed: int) -> list[Frame]:
    """Frames of noise with a ringed square each, where a face is said to be."""
    rng = np.random.default_rng(seed)
    made = []
    for _ in range(count):
        gray = rng.normal(110, 15, (DOWN, ACROSS))
        side = int(rng.integers(28, 70))
        left, top = int(rng.integers(0, ACROSS - side)), int(rng.integers(0, DOWN - side))
        gray[top : top + side, left : left + side] = 230
        inner = side // 4
        gray[top + inner : top + side - inner, left + inner : left + side - inner] = 20
        face = np.array([[left + side / 2, top + side / 2, side, 1.0]], np.float32)
        made.append(Frame(np.clip(gray, 0, 255).astype(np.uint8), face))
    return made


@pytest.mark.parametrize("side", [20, 30, 50, 100, 180])
def test_a_face_is_told_by_cells_in_its_middle_which_know_where_it_is(side: float) -> None:
    wanted, weights = targets(np.array([[150, 110, side, 1.0]], np.float32))
    at, sides = cells()
    told = wanted[:, 0] > 0
    assert told.any()
    off = np.abs(at[told] - (150, 110)).max(axis=1)
    assert off.max() <= max(CENTRE * side, 17)
    found = at[told] + wanted[told, 1:3] * sides[told, None] / FINE
    assert np.allclose(found, (150, 110), atol=1e-3)
    assert np.allclose(sides[told] * np.exp(wanted[told, 3] / FINE), side)
    assert (weights[told] == 1).all()
    assert (weights[~told, 1] == 0).all()


@pytest.mark.parametrize(("side", "visible"), [(50, 0.3), (LIMITS[-1] * 1.3, 1.0)])
def test_what_is_hidden_or_too_large_is_neither_wanted_nor_refused(
    side: float, visible: float
) -> None:
    wanted, weights = targets(np.array([[160, 120, side, visible]], np.float32))
    assert not wanted[:, 0].any()
    assert (weights[:, 0] == 0).any()
    assert not weights[:, 1].any()


def test_frames_are_the_same_again_and_their_faces_are_in_them() -> None:
    rng = np.random.default_rng(0)
    pictures = rng.integers(0, 255, (20, 48, 48)).astype(np.uint8)
    first, again = (list(frames(pictures, 18, 5)) for _ in range(2))
    assert len(first) == 18
    faces = np.concatenate([frame.faces for frame in first])
    assert len(faces) > 18
    assert ((faces[:, 3] > 0) & (faces[:, 3] <= 1)).all()
    for one, other in zip(first, again, strict=True):
        assert one.gray.shape == (DOWN, ACROSS)
        assert np.array_equal(one.gray, other.gray)
        assert np.array_equal(one.faces, other.faces)
        for x, y, side, visible in one.faces:
            assert visible < 1 or (x - side / 2 >= 0 and x + side / 2 <= ACROSS)
            assert -side / 2 < y < DOWN + side / 2


def test_it_learns_and_finds_them_in_int8() -> None:
    import keras

    keras.utils.set_random_seed(0)
    learnt, others = squares(160, 0), squares(30, 1)
    network = build()
    # With 12 epochs the seed decided whether it had learnt them; with 20 four seeds find them all.
    train(network, learnt, 20, 0, "squares")
    found = measure(quantised(network, learnt[:40]), others, (0.0, 1e3))
    assert (found.frames, found.faces) == (30, 30)
    assert found.found[0.0] > 0.8
    assert found.false[0.0] < 1
    assert (found.found[1e3], found.false[1e3]) == (0.0, 0.0)


def test_too_few_frames_make_none_and_write_none(
    mien_convert: Run, small_data: Path, tmp_path: Path
) -> None:
    out = tmp_path / "scan.tflite"
    code, stdout, stderr = mien_convert(
        "scan", small_data, "--out", out, "--frames", 20, "--epochs", 1
    )
    assert code == 3
    assert "so none was written: give more --frames or --epochs" in stderr
    assert "| log odds | faces found |" in stdout
    assert not list(tmp_path.iterdir())
