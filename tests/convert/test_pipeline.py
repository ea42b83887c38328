"""The whole line: a trained model.keras to a file that the device reads, or a refusal."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from mien.classification.classifier import Classifier
from mien.classification.preprocess import preprocess_face
from mien.evaluation.dataset import list_faces
from mien.tflite.model_file import load_model
from mien_convert.commands import model as command
from mien_convert.evaluate import device_logits, network_faces
from mien_train.data.fer2013 import load
from mien_train.data.labels import LABELS
from stripes import Line

Run = Callable[..., tuple[int, str, str]]


def test_convert_of_a_good_model_writes_one_file(line: Line) -> None:
    assert line.code == 0, line.stderr
    assert [file.name for file in line.out.parent.iterdir()] == ["stripes.tflite"]
    assert "TensorSpec" not in line.stdout + line.stderr
    for row in ("accuracy", "surprise (30)", "agreement", "mean KL"):
        assert row in line.stdout
    for column in ("float", "int8", "int8 - float"):
        assert column in line.stdout


def test_convert_writes_metadata_with_run_name_and_measures(line: Line, small_model: Path) -> None:
    metadata = load_model(line.out).metadata
    assert (metadata.labels, metadata.input_size) == (LABELS, 48)
    assert metadata.name == small_model.parent.name
    assert metadata.created == "2023-11-14T22:13:20+00:00"
    measured = metadata.metrics
    assert (measured["n"], measured["without_duplicates"]["n"]) == (210, 203)
    for kind in ("float", "int8"):
        for key in ("accuracy", "balanced_accuracy", "macro_f1", "ece"):
            assert 0 < measured[kind][key] < 1
            assert 0 < measured["without_duplicates"][kind][key] < 1
        assert set(measured[kind]["recall"]) == set(LABELS)
    assert 0.9 < measured["agreement"] <= 1
    shares = [row["coverage"] for row in measured["risk_coverage"]]
    assert shares == [1.0, 0.9, 0.8, 0.7]
    assert 0 < metadata.threshold < 1
    assert 0.1 < metadata.temperature < 10
    assert metadata.training["subset"] == "generated"
    assert metadata.training["convert_versions"]["tensorflow"]
    assert "/home" not in metadata.to_json()
    assert "FER-2013" in metadata.licences


def test_card_command_prints_data_commands_figures_and_prohibitions(
    line: Line, mien_convert: Run
) -> None:
    code, card, stderr = mien_convert("card", line.out)
    assert code == 0, stderr
    metadata = load_model(line.out).metadata
    assert "Article 5(1)(f)" in card
    assert "mien-train fit fer2013.zip --subset generated --seed 3 --run" in card
    assert "mien-convert model model.keras fer2013.zip --out stripes.tflite" in card
    assert f"{100 * metadata.metrics['int8']['accuracy']:.1f} %" in card
    assert metadata.sha256 in card
    assert "7 of them are byte-identical" in card
    assert "/tmp" not in card
    assert "/home" not in card


def test_mien_eval_measures_what_the_metadata_claim(
    line: Line, small_data: Path, mien: Run
) -> None:
    code, stdout, stderr = mien("eval", small_data, "--model", line.out, "--json")
    assert code == 0, stderr
    found, claimed = json.loads(stdout), load_model(line.out).metadata.metrics["int8"]
    found = found.get("metrics", found)
    for key in ("accuracy", "balanced_accuracy", "macro_f1", "ece"):
        assert found[key] == pytest.approx(claimed[key], abs=1e-5)


def test_converted_input_quantization_maps_pixels_to_themselves(line: Line) -> None:
    from mien_convert.tflite_runner import interpreter

    runner = interpreter(load_model(line.out).flatbuffer)
    scale, zero_point = runner.get_input_details()[0]["quantization"]
    pixels = np.arange(256)
    steps = (pixels / 127.5 - 1) / scale + zero_point
    assert np.abs(steps - pixels).max() <= 0.51


def test_eval_image_and_converter_give_the_network_the_same_bytes(
    line: Line, small_data: Path, mien: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[np.ndarray] = []
    logits = Classifier.logits

    def recorded(self: Classifier, faces: np.ndarray) -> np.ndarray:
        given.extend(faces)
        return logits(self, faces)

    monkeypatch.setattr(Classifier, "logits", recorded)

    def taken() -> list[bytes]:
        found = sorted(face.tobytes() for face in given)
        given.clear()
        return found

    model = load_model(line.out)
    data = load(small_data)
    validation = data.select(data.splits == "validation")
    faces = network_faces(validation.images, model.metadata)
    device_logits(model.flatbuffer, faces, model.metadata)
    checked = taken()
    mien("eval", small_data, "--model", line.out, "--json")
    assert taken() == checked
    with zipfile.ZipFile(small_data) as archive:
        archive.extractall(tmp_path)
    pictures = sorted((tmp_path / "test").rglob("*.jpg"))
    mien("image", *pictures, "--cropped", "--model", line.out, "--json")
    assert taken() == checked
    assert len(checked) == 210


def test_convert_with_a_bad_calibration_exits_3_and_writes_nothing(
    small_model: Path,
    small_data: Path,
    tmp_path: Path,
    mien_convert: Run,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    black = np.zeros((500, 48, 48), np.uint8)
    monkeypatch.setattr(command, "calibration_faces", lambda data, count, seed: black)
    out = tmp_path / "out" / "bad.tflite"
    code, stdout, stderr = mien_convert(small_model, small_data, "--out", out)
    assert code == 3, stderr
    assert list(out.parent.iterdir()) == []
    assert "accuracy fell by" in stderr
    assert any(f"{label} lost" in stderr for label in LABELS)
    assert "agreement" in stdout


def test_network_faces_of_real_data_equal_the_devices(line: Line, fer2013: Path) -> None:
    metadata = load_model(line.out).metadata
    data = load(fer2013)
    validation = data.select(data.splits == "validation")
    checked = network_faces(validation.images, metadata)
    on_device = {
        name.split("/")[-1]: preprocess_face(gray, None, metadata)
        for name, _, gray in list_faces(fer2013, LABELS, "PublicTest").faces()
    }
    assert len(on_device) == len(checked) > 3000
    for name, face in zip(validation.names, checked, strict=True):
        assert (on_device[name.split("/")[-1]] == face).all()
