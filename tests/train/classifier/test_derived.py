"""Networks out of a model file and out of other networks, without training."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import pytest
from mien.classification.classifier import Classifier
from mien.tflite.model_file import MODELS, load_model
from mien_train.classifier import predict
from mien_train.classifier.batchnorm import plain
from mien_train.classifier.from_tflite import unpack
from mien_train.classifier.model import build
from mien_train.data.fer2013 import load
from mien_train.data.labels import LABELS
from mien_train.data.subset import full

Run = Callable[..., tuple[int, str, str]]
NANO = MODELS / "mien-nano.tflite"


@pytest.fixture(scope="module")
def faces() -> np.ndarray:
    """Something like faces: blobs of light, uint8 [60, 48, 48]."""
    rng = np.random.default_rng(4)
    coarse = rng.integers(0, 256, (60, 6, 6)).astype("float32")
    smooth = np.asarray(keras.ops.image.resize(coarse[..., None], (48, 48)))[..., 0]
    return np.clip(smooth + rng.normal(0, 4, smooth.shape), 0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def nano(faces: np.ndarray) -> keras.Model:
    return unpack(NANO, faces)


def test_unpacked_network_predicts_as_its_file(nano: keras.Model, faces: np.ndarray) -> None:
    shipped = Classifier(load_model(NANO)).logits(faces)
    told = predict.logits(nano, faces)
    assert np.abs(told - shipped).mean() < 0.15 * shipped.std()
    assert (told.argmax(axis=1) == shipped.argmax(axis=1)).mean() > 0.85


def test_unpacked_batchnorm_has_the_statistics_of_the_faces(
    nano: keras.Model, faces: np.ndarray
) -> None:
    # As in training, where every batch is brought to its own mean and variance: the function holds.
    training = predict.inputs(nano, faces)
    told = np.asarray(nano(training, training=True))
    assert np.corrcoef(told.ravel(), predict.logits(nano, faces).ravel())[0, 1] > 0.9


def test_unpack_command_writes_a_run_that_trains_on(
    mien_train: Run, clean: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    assert mien_train("unpack", NANO, clean, "--run", run)[0] == 0
    record = json.loads((run / "run.json").read_text())
    assert record["unpacked"]["file"] == "mien-nano.tflite"
    assert record["labels"] == "votes"
    assert record["command"].startswith("mien-train unpack mien-nano.tflite")
    again = build(48, 0.35, 1, weights=run / "model.keras")
    images = load(clean).images[:3]
    np.testing.assert_allclose(
        predict.logits(again, images),
        predict.logits(predict.load_model(run / "model.keras"), images),
        atol=1e-4,
    )


@pytest.mark.parametrize("kind", ["absent", "text", "without metadata", "another network"])
def test_unpack_of_another_file_raises(
    mien_train: Run, clean: Path, tmp_path: Path, kind: str
) -> None:
    file = tmp_path / "other.tflite"
    if kind == "text":
        file.write_text("no model")
    elif kind == "without metadata":
        file.write_bytes(b"TFL3")
        with zipfile.ZipFile(file, "a") as archive:
            archive.writestr("other.json", "{}")
    elif kind == "another network":
        content = Path(__file__).parents[2] / "data" / "bands.tflite"
        file.write_bytes(content.read_bytes())
        with zipfile.ZipFile(file, "a") as archive:
            archive.writestr("metadata.json", json.dumps({"training": {}}))
    run = tmp_path / "run"
    code, _, stderr = mien_train("unpack", file, clean, "--run", run)
    assert code == 2
    assert stderr.count("\n") == 1
    assert "give a" in stderr
    assert not run.exists()


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two runs of small networks that differ a little everywhere."""
    folder = tmp_path_factory.mktemp("runs")
    rng = np.random.default_rng(5)
    network = plain(build(32, 0.35, 2, weights=None))
    paths = []
    for name in ("a", "b"):
        network.set_weights([w + rng.uniform(0, 0.1, w.shape) for w in network.get_weights()])
        paths.append(folder / name / "model.keras")
        write_run(paths[-1], network, {"a": "votes", "b": "fer2013"}[name])
    return paths


def write_run(path: Path, network: keras.Model, labels: str) -> None:
    path.parent.mkdir()
    predict.save_model(network, path)
    record = {"labels": labels, "manifest_sha256": "1", "recipe": {}}
    path.with_name("run.json").write_text(json.dumps(record))


@pytest.mark.filterwarnings("ignore:Skipping nested container")
def test_average_is_the_weighted_mean_of_the_weights(
    mien_train: Run, two: list[Path], clean: Path, tmp_path: Path
) -> None:
    run = tmp_path / "both"
    shares = ["--share", 3, "--share", 1]
    assert mien_train("average", *two, clean, "--run", run, *shares)[0] == 0
    mean, first, second = (predict.load_model(path) for path in (run / "model.keras", *two))
    norms = 0
    for layer in mean.layers:
        found, one, other = (
            net.get_layer(layer.name).get_weights() for net in (mean, first, second)
        )
        if isinstance(layer, keras.layers.BatchNormalization):
            # The faces' own statistics, not those of the two, which are about 0 and 1.
            norms += np.abs(found[2] - (0.75 * one[2] + 0.25 * other[2])).max() > 0.1
            found, one, other = found[:2], one[:2], other[:2]
        for value, a, b in zip(found, one, other, strict=True):
            np.testing.assert_allclose(value, 0.75 * a + 0.25 * b, atol=1e-6)
    assert norms > 40
    record = json.loads((run / "run.json").read_text())
    told = [(part["file"], part["share"], part["labels"]) for part in record["averaged"]]
    assert told == [("a/model.keras", 3.0, "votes"), ("b/model.keras", 1.0, "fer2013")]
    assert record["labels"] == "votes"


def test_average_of_unlike_networks_raises(
    mien_train: Run, two: list[Path], clean: Path, tmp_path: Path
) -> None:
    def refused(*more: object) -> str:
        code, _, stderr = mien_train("average", two[0], *more, "--run", tmp_path / "x")
        assert (code, stderr.count("\n")) == (2, 1)
        assert not (tmp_path / "x").exists()
        return stderr

    assert "2 models want 2 shares" in refused(two[1], clean, "--share", 1)
    squares = keras.Sequential([keras.Input((32, 32, 1)), keras.layers.Flatten()])
    squares.add(keras.layers.Dense(len(LABELS)))
    other = tmp_path / "other" / "model.keras"
    write_run(other, squares, "votes")
    assert "is another network than" in refused(other, clean)
    other.with_name("run.json").write_text(json.dumps({"manifest_sha256": "another"}))
    assert "learnt from different images" in refused(other, clean)


def test_logit_adjust_subtracts_the_log_prior_from_the_logits(
    mien_train: Run, two: list[Path], clean: Path, tmp_path: Path
) -> None:
    runs = tmp_path / "plain", tmp_path / "adjusted"
    assert mien_train("average", two[0], clean, "--run", runs[0])[0] == 0
    assert mien_train("average", two[0], clean, "--run", runs[1], "--logit-adjust", 0.5)[0] == 0
    data = load(clean)
    before, after = (
        predict.logits(predict.load_model(run / "model.keras"), data.images[:3]) for run in runs
    )
    chosen = full(data)
    prior = np.bincount(data.labels[chosen], minlength=len(LABELS)) / len(chosen)
    np.testing.assert_allclose(before - after, np.tile(0.5 * np.log(prior), (3, 1)), atol=1e-4)
    assert json.loads((runs[1] / "run.json").read_text())["logit_adjusted"] == 0.5
