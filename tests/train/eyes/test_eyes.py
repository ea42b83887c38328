"""Patches of eyes, their measures, and a short training."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import cv2
import numpy as np
import pytest
from mien.alertness.crop import EYE
from mien.errors import UserError
from mien_train.eyes.augment import Augmentation, augmented, crop
from mien_train.eyes.measure import found_at, measure
from mien_train.eyes.patches import Patches, read_part, read_patches

COLUMNS = ("image", "class", "split", "group", "source_repo", "source_path")


def eye(opened: bool) -> np.ndarray:
    """A drawn eye: a dark disk, or a line."""
    picture = np.full((56, 56), 170, np.uint8)
    if opened:
        cv2.ellipse(picture, (28, 28), (16, 8), 0, 0, 360, 230, -1)
        cv2.circle(picture, (28, 28), 7, 30, -1)
    else:
        cv2.line(picture, (12, 28), (44, 28), 50, 2)
    return picture


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    rows, path = [], tmp_path / "eyes.zip"
    with zipfile.ZipFile(path, "w") as file:
        for index in range(24):
            state = "open" if index % 2 else "closed"
            name = f"{state}/{index}.png"
            file.writestr(name, cv2.imencode(".png", eye(state == "open"))[1].tobytes())
            split = "val" if index >= 16 else "train"
            glasses = index % 4 // 2
            source = f"a/s0001_{index:05d}_0_{glasses}_{index % 2}_0_0_01.png"
            rows.append((name, state, split, "mrl:s0001", "owner/name", source))
        text = "\n".join(",".join(row) for row in (COLUMNS, *rows)) + "\n"
        file.writestr("index.csv", text)
    return path


def test_patches_have_state_split_source_and_glasses(archive: Path) -> None:
    patches = read_patches(archive)
    assert len(patches) == 24
    assert patches.state.tolist() == [0, 1] * 12
    assert (patches.split == "val").sum() == 8
    assert set(patches.source) == {"mrl"}
    assert patches.glasses.tolist() == [False, False, True, True] * 6


@pytest.mark.parametrize(
    ("part", "name", "says"),
    [
        ("eyes", "missing.zip", "no archive of eyes"),
        ("nose", "eyes.zip", "--part must be eyes or mouth"),
        ("mouth", "eyes.zip", "needs --labels"),
    ],
)
def test_wrong_data_are_refused(archive: Path, part: str, name: str, says: str) -> None:
    with pytest.raises(UserError, match=says):
        read_part(part, archive.with_name(name), None)


def test_augmented_crops_are_of_the_network_s_size_and_say_what_is_hidden() -> None:
    rng = np.random.default_rng(1)
    made = [augmented(eye(True), 0.95, EYE, Augmentation(hidden=0.5), rng) for _ in range(60)]
    assert {view.shape for view, _ in made} == {(24, 40)}
    assert 15 < sum(seen for _, seen in made) < 45


def test_a_crop_shows_the_share_of_a_patch_that_its_width_is() -> None:
    patch = np.zeros((80, 80), np.uint8)
    patch[:, 40 - 28 : 40 + 28] = 255  # 0.7 of a patch that is one eye distance wide
    assert crop(patch, 1.0, EYE)[:, 1:-1].min() == 255
    assert crop(patch, 0.5, EYE)[:, 1:-1].min() == 0


def test_measures_are_of_each_source_and_of_glasses() -> None:
    state = np.array([0, 1] * 50, np.float32)
    patches = Patches(
        [eye(True)] * 100,
        state,
        np.array(["cew"] * 50 + ["mrl"] * 50),
        np.full(100, "val"),
        np.array([False] * 50 + [True] * 50),
    )
    right = {row.group: row for row in measure(patches, state * 2 - 1, "eyes")}
    assert set(right) == {"all", "cew", "mrl", "glasses"}
    assert all(row.auc == row.found == row.accuracy == 1.0 for row in right.values())
    wrong = measure(patches, 1 - state * 2, "eyes")[0]
    assert (wrong.auc, wrong.found) == (0.0, 0.0)


def test_the_detection_rate_is_at_one_negative_in_a_hundred() -> None:
    score = np.arange(200, dtype=np.float32)
    positive = np.zeros(200, bool)
    positive[[50, 197, 199]] = True
    assert found_at(positive, score) == pytest.approx(2 / 3)


def test_a_short_training_writes_network_and_record(archive: Path, tmp_path: Path) -> None:
    from mien_train.cli import app
    from typer.testing import CliRunner

    run = tmp_path / "run"
    done = CliRunner().invoke(app, ["eyes", str(archive), "--run", str(run), "--steps", "2"])
    assert done.exit_code == 0, done.output
    assert (run / "model.keras").is_file()
    record = json.loads((run / "run.json").read_text())
    assert record["recipe"]["steps"] == 2
    assert record["validation"][0]["count"] == 8
