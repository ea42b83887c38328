"""`mien-train detector` learns drawn faces, resumes, and refuses what it cannot train."""

from __future__ import annotations

import json
from pathlib import Path

import keras
import numpy as np
import pytest
from drawn_faces import write_archive
from mien.errors import UserError
from mien_train.cli import app
from mien_train.detector.cells import cell_centers
from mien_train.detector.dataset import load
from mien_train.detector.evaluate import evaluate
from mien_train.detector.model import build_detector, multiply_adds
from mien_train.detector.predict import detector
from typer.testing import CliRunner

OPTIONS = ["--width", "128", "--height", "96", "--batch", "8", "--steps", "60", "--seed", "1"]


def train(data: Path, run: Path, *options: str) -> str:
    arguments = ["detector", str(data), "--run", str(run), *OPTIONS, *options]
    result = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_archive(tmp_path_factory.mktemp("drawn") / "faces.zip")


@pytest.fixture(scope="module")
def run(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "detector"
    train(data, folder, "--epochs", "3", "--rate", "0.004")
    return folder


def test_it_learns(data: Path, run: Path) -> None:
    network = keras.saving.load_model(run / "model.keras")
    found = evaluate(detector(network, 96, 128), load(data).validation)
    assert found["ap"] > 0.5
    untrained = evaluate(detector(build_detector(96, 128), 96, 128), load(data).validation)
    assert untrained["ap"] < 0.1
    log = (run / "log.csv").read_text().splitlines()
    assert len(log) == 4
    record = json.loads((run / "run.json").read_text())
    assert record["pictures"]["validation"]["pictures"] == len(load(data).validation)


def test_it_finds_landmarks(data: Path, run: Path) -> None:
    network = keras.saving.load_model(run / "model.keras")
    picture = next(p for p in load(data).validation if len(p.faces) == 1)
    output = network(picture.image[None, :, :, None] / 127.5 - 1.0)
    cell = int(np.argmax(output["scores"][0, :, 0]))
    centers, strides = cell_centers(96, 128)
    marks = centers[cell] + np.reshape(output["landmarks"][0, cell], (5, 2)) * strides[cell]
    assert np.abs(marks - picture.landmarks[0]).max() < 0.3 * picture.faces[0, 2]


def test_resuming_goes_on_where_it_stopped(data: Path, tmp_path: Path) -> None:
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    short = ["--steps", "3", "--epochs", "2"]
    train(data, whole, *short)
    # Killed in the second epoch: what an epoch leaves is all that a resumed run has.
    with pytest.raises(InterruptedError):
        _train_until(data, parts, short, epoch=1)
    assert json.loads((parts / "state.json").read_text())["epoch"] == 1
    train(data, parts, *short, "--resume")
    one, two = (keras.saving.load_model(f / "model.keras").get_weights() for f in (whole, parts))
    assert all(np.allclose(a, b, atol=1e-4) for a, b in zip(one, two, strict=True))
    assert len((parts / "log.csv").read_text().splitlines()) == 3
    assert not list(parts.glob(".part-*"))


def test_resuming_with_more_epochs_extends_a_run(data: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    train(data, run, "--steps", "3", "--epochs", "1")
    train(data, run, "--steps", "3", "--epochs", "2", "--resume")
    assert len((run / "log.csv").read_text().splitlines()) == 3
    assert json.loads((run / "state.json").read_text())["recipe"]["epochs"] == 2
    assert json.loads((run / "run.json").read_text())["recipe"]["epochs"] == 2


def _train_until(data: Path, run: Path, options: list[str], epoch: int) -> None:
    from mien_train.detector import loop

    original = loop.Views.__getitem__

    def stop(self: loop.Views, index: int) -> tuple[np.ndarray, np.ndarray]:
        if self.epoch == epoch:
            raise InterruptedError
        return original(self, index)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loop.Views, "__getitem__", stop)
        train(data, run, *options)


def test_a_run_is_not_overwritten_nor_mixed(data: Path, run: Path) -> None:
    model = (run / "model.keras").read_bytes()
    with pytest.raises(UserError, match="--resume"):
        train(data, run, "--epochs", "3")
    with pytest.raises(UserError, match="other options"):
        train(data, run, "--epochs", "3", "--rate", "0.1", "--resume")
    assert (run / "model.keras").read_bytes() == model


@pytest.mark.parametrize("options", [["--width", "100"], ["--height", "100"]])
def test_sizes_that_do_not_fit(data: Path, tmp_path: Path, options: list[str]) -> None:
    with pytest.raises(UserError, match="multiples of 16"):
        train(data, tmp_path / "run", *options)
    assert not (tmp_path / "run").exists()


def test_the_network_is_small_and_fits_every_size() -> None:
    network = build_detector()
    assert network.count_params() < 300_000
    assert multiply_adds(network) < 80_000_000
    for height, width in ((480, 640), (96, 128), (240, 320)):
        sized = build_detector(height, width)
        sized.set_weights(network.get_weights())
        cells = len(cell_centers(height, width)[0])
        assert sized.output["scores"].shape == (None, cells, 1)
        assert sized.output["landmarks"].shape == (None, cells, 10)
    with pytest.raises(ValueError, match="multiple of 16"):
        build_detector(100, 128)


def test_a_face_gives_the_same_answer_in_a_larger_input() -> None:
    """Cells stand at the same places whatever the input's size, odd maps included."""
    keras.utils.set_random_seed(3)
    small, large = build_detector(240, 320), build_detector(480, 640)
    large.set_weights(small.get_weights())
    picture = np.random.default_rng(0).uniform(-1, 1, (1, 480, 640, 1)).astype("float32")
    boxes = {}
    for network, (height, width) in ((small, (240, 320)), (large, (480, 640))):
        centers, strides = cell_centers(height, width)
        values = np.asarray(network(picture[:, :height, :width])["boxes"])[0]
        # Far enough from the small input's edges, so that both see the same pixels around.
        at = (strides == 8) & np.all(np.abs(centers - [100, 60]) < 12, axis=1)
        boxes[height] = values[at]
    spread = np.abs(boxes[480]).std()
    assert np.abs(boxes[240] - boxes[480]).max() < 0.2 * spread
