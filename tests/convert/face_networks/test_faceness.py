"""Training, quantising and measuring the network behind the cascades, on something easy."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from mien.detection.verifier import SIZE
from mien_convert.face_networks.faceness import build, measure, odds, quantised, train
from mien_convert.face_networks.places import Places

Run = Callable[..., tuple[int, str, str]]


def discs(count: int, seed: int) -> Places:
    """Views of which every other one shows a disc in the middle, in noise."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:SIZE, :SIZE] - SIZE / 2
    disc = np.where(x**2 + y**2 < 81, 60.0, 0.0)
    faces = [index % 2 == 0 for index in range(count)]
    views = [
        np.clip(rng.normal(100, 20, (SIZE, SIZE)) + face * disc, 0, 255).astype(np.uint8)
        for face in faces
    ]
    return Places(views, faces)


def test_it_learns_and_is_the_same_in_int8() -> None:
    learnt, others = discs(512, 0), discs(200, 1)
    network = build()
    train(network, learnt, 45, 0, "discs")
    found = odds(network)(np.stack(others.views))
    faces = np.array(others.faces)
    assert ((found > 0) == faces).mean() > 0.9
    measured = measure(quantised(network, learnt), others, (0.0, 1e3))
    assert (measured.faces, measured.places) == (100, 100)
    assert measured.missed[0.0] == pytest.approx((found[faces] < 0).mean(), abs=0.02)
    assert measured.mistaken[0.0] == pytest.approx((found[~faces] >= 0).mean(), abs=0.02)
    assert (measured.missed[1e3], measured.mistaken[1e3]) == (1.0, 0.0)


def test_too_few_frames_make_none_and_write_none(
    mien_convert: Run, small_data: Path, tmp_path: Path
) -> None:
    out = tmp_path / "faceness.tflite"
    code, stdout, stderr = mien_convert("faceness", small_data, "--out", out, "--frames", 12)
    assert code == 3
    assert "so none was written: give more --frames" in stderr
    assert "| log odds | faces under it |" in stdout
    assert not list(tmp_path.iterdir())


def test_a_folder_without_pictures_is_one_sentence(
    mien_convert: Run, small_data: Path, tmp_path: Path
) -> None:
    out = tmp_path / "faceness.tflite"
    code, _, stderr = mien_convert(
        "faceness", small_data, "--out", out, "--pictures", tmp_path, "--frames", 12
    )
    assert code == 2
    assert f"{tmp_path} holds no pictures; give a folder with --pictures." in stderr
