"""`mien-convert detector` writes an int8 detector that the device loads, or refuses it."""

from __future__ import annotations

import hashlib
import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
from drawn_faces import write_archive
from mien.detection import open_detector
from mien.errors import UserError
from mien_convert import detector as conversion
from mien_convert.accuracy_gate import REFUSED
from mien_convert.cli import app
from mien_convert.metadata import read_card
from mien_convert.tflite_runner import interpreter
from mien_train.detector.dataset import load
from typer.testing import CliRunner

SIZE = ["--width", "128", "--height", "96"]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_archive(tmp_path_factory.mktemp("drawn") / "faces.zip", 20)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A detector with random weights whose scores lie above the device's least one."""
    import keras
    from mien_train.classifier.batchnorm import plain
    from mien_train.detector.model import build_detector

    keras.utils.set_random_seed(5)
    network = build_detector(96, 128)
    for layer in network.layers:
        if layer.name.startswith("scores") and layer.get_weights():
            kernel, bias = layer.get_weights()
            layer.set_weights([np.random.default_rng(0).normal(0, 1, kernel.shape), bias * 0])
    path = tmp_path_factory.mktemp("run") / "model.keras"
    plain(network).save(path)
    (path.parent / "run.json").write_text(json.dumps({"data": "faces.zip", "command": "train"}))
    return path


@pytest.fixture(scope="module")
def packed(data: Path, model: Path) -> Path:
    """The model file; random weights may lose what they like."""
    out = model.parent / "faces.tflite"
    options = ["--out", str(out), *SIZE, "--terms", "drawn", "--max-drop", "100"]
    arguments = ["detector", str(model), str(data), *options]
    result = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return out


def test_the_int8_network_gives_what_the_float_one_gives(
    data: Path, model: Path, packed: Path
) -> None:
    import keras

    picture = load(data).validation[0].image
    exact = keras.saving.load_model(model)(picture[None, :, :, None] / 127.5 - 1.0)
    runner = interpreter(packed.read_bytes())
    runner.set_tensor(runner.get_input_details()[0]["index"], picture[None, :, :, None])
    runner.invoke()
    for entry in runner.get_output_details():
        step, zero = entry["quantization"]
        values = (runner.get_tensor(entry["index"]).astype(float) - zero) * step
        name = conversion.OUTPUTS[values.shape[-1]]
        wanted = np.asarray(exact[name])
        assert np.abs(values - wanted).mean() < 0.15 * wanted.std() + step, name


def test_the_file_is_whole_and_says_what_it_is(data: Path, packed: Path) -> None:
    content = packed.read_bytes()
    with zipfile.ZipFile(packed) as archive:
        fields = json.loads(archive.read("metadata.json"))
    flatbuffer = content[: content.index(b"PK\x03\x04")]
    assert hashlib.sha256(flatbuffer).hexdigest() == fields["sha256"]
    assert fields["input"]["width"] == 128
    assert fields["training"]["data"] == "faces.zip"
    assert fields["training"]["parameters"] < 300_000
    assert fields["licences"]["photographs"] == "drawn"
    card = read_card(packed)
    assert "--terms drawn" in card
    assert "| 24 px and more |" in card


def test_the_device_finds_landmarks_with_it(data: Path, packed: Path) -> None:
    found = open_detector(f"ssd:{packed}").detect(load(data).validation[0].image)
    assert found
    assert all(one.landmarks is not None and len(one.landmarks) == 5 for one in found)


def test_a_network_that_loses_too_much_is_refused(
    data: Path, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    measured = iter([{"ap": 0.80, "recall": 0.7}, {"ap": 0.78, "recall": 0.7}])
    monkeypatch.setattr(conversion, "evaluate", lambda *arguments: next(measured))
    out = tmp_path / "faces.tflite"
    arguments = ["detector", str(model), str(data), "--out", str(out), *SIZE]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == REFUSED
    assert not out.exists()
    assert "2.0 points" in result.output


def test_what_cannot_be_converted(data: Path, model: Path, tmp_path: Path) -> None:
    def convert(network: Path, *options: str) -> None:
        out = ["--out", str(tmp_path / "faces.tflite")]
        CliRunner().invoke(
            app, ["detector", str(network), str(data), *out, *options], catch_exceptions=False
        )

    with pytest.raises(UserError, match="multiples of 16"):
        convert(model, "--width", "100")
    with pytest.raises(UserError, match=r"there is no .*missing\.keras"):
        convert(tmp_path / "missing.keras", *SIZE)
    import keras

    other = tmp_path / "other.keras"
    keras.Sequential([keras.layers.Input((4,)), keras.layers.Dense(2)]).save(other)
    with pytest.raises(UserError, match="no face detector"):
        convert(other, *SIZE)
    assert not list(tmp_path.glob("*.tflite"))
