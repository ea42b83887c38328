from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from made import LABELS, band_face
from mien.classification.classifier import Classifier
from mien.classification.prediction import decode_prediction, softmax
from mien.errors import UserError
from mien.tflite.interpreter import interpreter_class, suppress_delegate_log
from mien.tflite.metadata import Metadata
from mien.tflite.model_file import Model


def test_every_class_is_read(model: Model) -> None:
    faces = np.stack([band_face(label) for label in range(7)])
    logits = Classifier(model).logits(faces)
    assert logits.shape == (7, 7)
    assert logits.dtype == np.float32
    assert logits.argmax(axis=1).tolist() == list(range(7))


def test_logits_are_dequantised(model: Model) -> None:
    """White is +6 and black -6 by the network's own weights (tests/data/make_models.py)."""
    classifier = Classifier(model)
    ends = np.stack([np.full((48, 48), v, np.uint8) for v in (0, 255)])
    black, white = classifier.logits(ends)
    assert black == pytest.approx(np.full(7, -6.0), abs=0.1)
    assert white == pytest.approx(np.full(7, 6.0), abs=0.1)


def test_logits_are_exactly_what_the_interpreter_gives(model: Model) -> None:
    interpreter = interpreter_class()(model_content=model.flatbuffer, num_threads=1)
    interpreter.allocate_tensors()
    face = band_face(4, 11)
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], face[None, :, :, None])
    interpreter.invoke()
    output = interpreter.get_output_details()[0]
    scale, zero_point = output["quantization"]
    assert zero_point != 0
    steps = interpreter.get_tensor(output["index"])[0].astype(np.float32)
    expected = (steps - np.float32(zero_point)) * np.float32(scale)
    assert np.array_equal(Classifier(model).logits(face[None])[0], expected)


def test_the_pixel_byte_is_the_quantised_value(model: Model) -> None:
    """To half a step of the input and half a step of the output."""
    values = np.arange(0, 256, 5, dtype=np.uint8)
    faces = np.broadcast_to(values[:, None, None], (len(values), 48, 48))
    logits = Classifier(model).logits(np.ascontiguousarray(faces))[:, 0]
    assert logits == pytest.approx(6 * (values / 127.5 - 1), abs=0.5 * 12 / 255 + 6 / 255 + 1e-3)


def test_threads_and_repetition_change_nothing(model: Model) -> None:
    faces = np.stack([band_face(label, 5) for label in range(7)])
    once, twice = Classifier(model), Classifier(model, threads=2)
    assert np.array_equal(once.logits(faces), twice.logits(faces))
    assert np.array_equal(once.logits(faces), once.logits(faces))
    assert np.array_equal(once.logits(faces[3:4])[0], once.logits(faces)[3])
    assert once.logits(faces[:0]).shape == (0, 7)


@pytest.mark.parametrize(
    "faces",
    [
        np.zeros((1, 24, 24), np.uint8),
        np.zeros((48, 48), np.uint8),
        np.zeros((1, 48, 48), np.float32),
        np.zeros((1, 48, 48, 1), np.uint8),
    ],
)
def test_other_shapes_and_types_are_refused(model: Model, faces: np.ndarray) -> None:
    with pytest.raises(ValueError, match="not uint8"):
        Classifier(model).logits(faces)


def test_without_an_interpreter_the_sentence_says_how_to_get_one(
    model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("ai_edge_litert", "tflite_runtime"):
        monkeypatch.setitem(sys.modules, name, None)
        monkeypatch.setitem(sys.modules, f"{name}.interpreter", None)
    with pytest.raises(UserError, match="pip install ai-edge-litert"):
        Classifier(model)


def test_the_interpreter_starts_without_a_word(model_path: Path) -> None:
    """In a process of its own: it prints its line once in each."""
    words = (
        "import sys; from mien.classification.classifier import Classifier;"
        "from mien.tflite.model_file import load_model;"
        "Classifier(load_model(sys.argv[1]))"
    )
    answer = subprocess.run([sys.executable, "-c", words, str(model_path)], capture_output=True)
    assert (answer.returncode, answer.stdout, answer.stderr) == (0, b"", b"")


def test_other_words_on_stderr_are_kept(capfd: pytest.CaptureFixture[str]) -> None:
    with suppress_delegate_log():
        os.write(2, b"INFO: Created TensorFlow Lite XNNPACK delegate for CPU.\nERROR: no.\n")
    assert capfd.readouterr().err == "ERROR: no.\n"


def test_softmax_with_a_temperature() -> None:
    logits = np.array([1.0, 2.0, 4.0])
    expected = np.exp(logits / 2) / np.exp(logits / 2).sum()
    assert softmax(logits, 2.0) == pytest.approx(expected)
    assert softmax(np.array([[1000.0, 0.0]]))[0] == pytest.approx([1.0, 0.0])


def test_a_reading_is_uncertain_under_the_threshold(metadata: Metadata) -> None:
    sure = decode_prediction(np.array([0, 0, 0, 5, 0, 0, 0], np.float32), metadata)
    assert sure.emotion == "happy"
    assert sure.confidence == pytest.approx(np.exp(4) / (np.exp(4) + 6))  # 5 / 1.25
    assert list(sure.probabilities) == list(LABELS)
    assert sum(sure.probabilities.values()) == pytest.approx(1)
    unsure = decode_prediction(np.array([0, 0, 0, 0.5, 0, 0, 0], np.float32), metadata)
    assert unsure.emotion == "uncertain"
    assert unsure.confidence == max(unsure.probabilities.values()) < 0.4
