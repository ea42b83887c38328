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
from mien_convert.detector import convert_detector
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


def test_the_int8_network_gives_what_the_float_one_gives(data: Path, model: Path) -> None:
    photographs = load(data)
    steps: list[str] = []
    converted = convert_detector(
        model, photographs.train, photographs.validation, 96, 128, 7, steps.append
    )
    assert len(steps) == 4
    assert converted.parameters < 300_000
    import keras

    picture = photographs.validation[0].image
    exact = keras.saving.load_model(model)(picture[None, :, :, None] / 127.5 - 1.0)
    runner = interpreter(converted.int8)
    runner.set_tensor(runner.get_input_details()[0]["index"], picture[None, :, :, None])
    runner.invoke()
    for entry in runner.get_output_details():
        step, zero = entry["quantization"]
        values = (runner.get_tensor(entry["index"]).astype(float) - zero) * step
        name = conversion.OUTPUTS[values.shape[-1]]
        wanted = np.asarray(exact[name])
        assert np.abs(values - wanted).mean() < 0.15 * wanted.std() + step, name


def test_the_file_is_whole_and_says_what_it_is(data: Path, model: Path, tmp_path: Path) -> None:
    out = tmp_path / "faces.tflite"
    arguments = ["detector", str(model), str(data), "--out", str(out), *SIZE]
    result = CliRunner().invoke(app, [*arguments, "--terms", "drawn"], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    with zipfile.ZipFile(out) as archive:
        fields = json.loads(archive.read("metadata.json"))
    content = out.read_bytes()
    assert any(
        hashlib.sha256(content[:end]).hexdigest() == fields["sha256"]
        for end in [content.index(b"PK\x03\x04")]
    )
    assert fields["input"]["width"] == 128
    assert fields["training"]["data"] == "faces.zip"
    assert fields["licences"]["photographs"] == "drawn"
    card = read_card(out)
    assert "faces.tflite" in card
    assert "--terms drawn" in card
    assert "| 24 px and more |" in card
    detector = open_detector(f"ssd:{out}")
    found = detector.detect(load(data).validation[0].image)
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
