"""What a user can get wrong: one sentence, exit code 2, nothing written."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from mien.errors import UserError
from mien_convert.commands.model import gate_truth, refusal
from mien_convert.export_worker import refuse_probabilities
from mien_train.classifier.predict import load_model, require_classifier

Run = Callable[..., tuple[int, str, str]]
keras = pytest.importorskip("keras")


def is_sentence(stderr: str) -> bool:
    lines = stderr.strip().splitlines()
    return len(lines) == 1 and lines[0].startswith("mien-convert: ") and lines[0].endswith(".")


@pytest.mark.parametrize("content", [None, "folder", b"", b"this is no model"])
def test_convert_of_another_file_exits_2(
    content: bytes | str | None, small_data: Path, tmp_path: Path, mien_convert: Run
) -> None:
    model = tmp_path / "model.keras"
    if content == "folder":
        model.mkdir()
    elif isinstance(content, bytes):
        model.write_bytes(content)
    code, _, stderr = mien_convert(model, small_data, "--out", tmp_path / "x.tflite")
    assert code == 2
    assert is_sentence(stderr)
    assert not (tmp_path / "x.tflite").exists()


def test_convert_with_a_wrong_data_path_exits_2(
    small_model: Path, tmp_path: Path, mien_convert: Run
) -> None:
    code, _, stderr = mien_convert(
        small_model, tmp_path / "none.zip", "--out", tmp_path / "x.tflite"
    )
    assert code == 2
    assert is_sentence(stderr)


@pytest.mark.parametrize("name", ["x.bin", "folder.tflite", "file/x.tflite"])
def test_convert_to_an_impossible_output_exits_2(
    name: str, small_model: Path, small_data: Path, tmp_path: Path, mien_convert: Run
) -> None:
    (tmp_path / "folder.tflite").mkdir()
    (tmp_path / "file").write_text("")
    code, _, stderr = mien_convert(small_model, small_data, "--out", tmp_path / name)
    assert code == 2
    assert is_sentence(stderr)


def test_convert_of_a_damaged_keras_file_exits_2(
    small_model: Path, small_data: Path, tmp_path: Path, mien_convert: Run
) -> None:
    model = tmp_path / "model.keras"
    with zipfile.ZipFile(small_model) as whole, zipfile.ZipFile(model, "w") as part:
        part.writestr("metadata.json", whole.read("metadata.json"))
    code, _, stderr = mien_convert(model, small_data, "--out", tmp_path / "x.tflite")
    assert code == 2
    assert is_sentence(stderr)
    assert "cannot be read as a Keras model" in stderr


def test_load_model_of_a_truncated_file_raises(small_model: Path, tmp_path: Path) -> None:
    model = tmp_path / "model.keras"
    with zipfile.ZipFile(small_model) as whole, zipfile.ZipFile(model, "w") as part:
        part.writestr("config.json", whole.read("config.json"))
        part.writestr("metadata.json", whole.read("metadata.json"))
        part.writestr("model.weights.h5", whole.read("model.weights.h5")[:3000])
    with pytest.raises(UserError, match="cannot be read as a Keras model"):
        load_model(model)


@pytest.mark.parametrize(
    ("shape", "outputs", "words"),
    [
        ((48, 48, 3), 7, r"takes \[n, 48, 48, 3\]"),
        ((48, 40, 1), 7, r"takes \[n, 48, 40, 1\]"),
        ((48, 48, 1), 8, r"gives \[n, 8\]"),
    ],
)
def test_require_classifier_of_another_network_raises(
    shape: tuple[int, ...], outputs: int, words: str
) -> None:
    inputs = keras.Input(shape)
    flat = keras.layers.GlobalAveragePooling2D()(inputs)
    model = keras.Model(inputs, keras.layers.Dense(outputs)(flat))
    with pytest.raises(UserError, match=words):
        require_classifier(model, "model.keras")


def test_require_classifier_of_another_size_passes() -> None:
    inputs = keras.Input((40, 40, 1))
    flat = keras.layers.GlobalAveragePooling2D()(inputs)
    require_classifier(keras.Model(inputs, keras.layers.Dense(7)(flat)), "model.keras")


def test_refuse_probabilities_of_softmax_outputs_raises() -> None:
    logits = np.random.default_rng(0).normal(size=(5, 7)).astype(np.float32)
    refuse_probabilities(logits, Path("model.keras"))
    powers = np.exp(logits)
    with pytest.raises(UserError, match="probabilities"):
        refuse_probabilities(powers / powers.sum(axis=1, keepdims=True), Path("model.keras"))
    with pytest.raises(UserError, match="not finite"):
        refuse_probabilities(logits * np.nan, Path("model.keras"))


def test_refusal_keeps_an_older_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "mien.tflite"
    assert refusal(["fear lost 9 points"], out).exit_code == 3
    assert "older" not in capsys.readouterr().err
    out.write_bytes(b"accepted before")
    assert refusal(["fear lost 9 points"], out).exit_code == 3
    stderr = capsys.readouterr().err
    assert "fear lost 9 points" in stderr
    assert "was left as it was" in stderr
    assert out.read_bytes() == b"accepted before"


def test_gate_truth_follows_training_and_votes(tmp_path: Path) -> None:
    votes, model = Path("votes.csv"), tmp_path / "model.keras"
    assert gate_truth(None, None, model) == "fer2013"
    assert gate_truth(None, votes, model) == "fer2013"
    (tmp_path / "run.json").write_text('{"labels": "votes"}')
    assert gate_truth(None, votes, model) == "votes"
    assert gate_truth(None, None, model) == "fer2013"
    assert gate_truth("fer2013", votes, model) == "fer2013"
    for labels, file in (("votes", None), ("people", votes)):
        with pytest.raises(UserError):
            gate_truth(labels, file, model)
