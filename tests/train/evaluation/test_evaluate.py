"""`mien-train evaluate`: the right figures for what the model says, and plots that are pictures."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import cv2
import keras
import numpy as np
import pytest
from mien.classification.prediction import softmax
from mien.classification.preprocess import normalize
from mien.errors import UserError
from mien.evaluation.metrics import score
from mien_train.data.fer2013 import Dataset, load
from mien_train.data.labels import LABELS
from mien_train.evaluation.evaluate import evaluate

Run = Callable[..., tuple[int, str, str]]

LOG = """epoch,stage,loss,accuracy,val_loss,val_accuracy,val_balanced_accuracy,val_macro_f1,\
learning_rate,seconds
1,head,2.0,0.2,,,,,0.001,3
2,head,1.9,0.25,1.8,0.3,0.28,0.25,0.001,3
1,all,1.5,0.4,1.4,0.5,0.45,0.44,0.001,9
"""


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run's folder with a small untrained network."""
    keras.utils.set_random_seed(1)
    face = keras.Input((48, 48, 1))
    x = keras.layers.AveragePooling2D(12)(face)
    output = keras.layers.Dense(7, kernel_initializer="random_normal")(keras.layers.Flatten()(x))
    folder = tmp_path_factory.mktemp("run")
    keras.Model(face, output * 20).save(folder / "model.keras")
    (folder / "log.csv").write_text(LOG)
    return folder


def told(data: Dataset, wrong: set[str]) -> Callable[[np.ndarray], np.ndarray]:
    """Logits of one that reads every face of `data` right but those named."""
    answers = {
        image.tobytes(): (label + (name in wrong)) % 7
        for name, image, label in zip(data.names, data.images, data.labels, strict=True)
    }

    def logits(images: np.ndarray) -> np.ndarray:
        answered = np.array([answers[image.tobytes()] for image in images])
        return 3 * np.eye(7, dtype=np.float32)[answered]

    return logits


def test_evaluate_with_copies_reports_scores_without_them(fer: Path) -> None:
    """PublicTest_902 stands in train byte for byte, PublicTest_001 nearly; both are read right."""
    data = load(fer)
    validation = data.select(data.splits == "validation")
    wrong = {"test/sad/PublicTest_500.jpg", "test/angry/PublicTest_000.jpg"}
    found, reliability = evaluate(told(validation, wrong), data, "validation")
    assert found["all"]["n"] == 22
    assert found["all"]["accuracy"] == pytest.approx(20 / 22)
    assert found["without_duplicates"]["n"] == 21
    assert found["without_duplicates"]["accuracy"] == pytest.approx(19 / 21)
    assert found["without_duplicates"]["recall"]["sad"] == pytest.approx(2 / 3)
    assert found["without_near_duplicates"]["n"] == 20
    assert found["without_near_duplicates"]["recall"]["angry"] == pytest.approx(1 / 2)
    assert found["all"]["ece"] == pytest.approx(reliability.ece)


def test_evaluate_on_train_has_no_scores_without_duplicates(fer: Path) -> None:
    data = load(fer)
    train = data.select(data.splits == "train")
    # A copy with another label makes one of the two wrong for a reader of pixels.
    found, _ = evaluate(told(train, set()), data, "train")
    assert found["all"]["accuracy"] == pytest.approx(115 / 116)
    assert found["without_duplicates"] is None


def test_evaluate_command_writes_metrics_and_charts(
    model: Path, fer: Path, tmp_path: Path, mien_train: Run
) -> None:
    code, text, _ = mien_train("evaluate", model, fer, "--out", tmp_path / "report")
    assert code == 0
    document = json.loads((tmp_path / "report" / "metrics.json").read_text())
    data = load(fer)
    part = data.select(data.splits == "validation")
    network = keras.saving.load_model(model / "model.keras")
    expected = score(
        part.labels, softmax(network.predict(normalize(part.images), verbose=0)), LABELS
    )
    assert document["split"] == "validation"
    for key in ("accuracy", "balanced_accuracy", "macro_f1", "ece"):
        assert document["all"][key] == pytest.approx(expected[key], abs=1e-6)
    assert document["all"]["recall"] == pytest.approx(expected["recall"])
    assert document["without_duplicates"]["n"] == 21
    assert f"{100 * expected['accuracy']:.1f} %" in text
    for name in ("confusion.png", "reliability.png", "curves.png"):
        picture = cv2.imread(str(tmp_path / "report" / name))
        assert picture is not None
        assert picture.std() > 10
    assert not list((tmp_path / "report").glob("*.part"))


def test_evaluate_command_with_json_prints_the_test_split(
    model: Path, fer: Path, mien_train: Run
) -> None:
    code, text, _ = mien_train("evaluate", model / "model.keras", fer, "--split", "test", "--json")
    assert code == 0
    document = json.loads(text)
    assert document["all"]["n"] == 14
    assert set(document["all"]["recall"]) == set(LABELS)
    assert (model / "evaluation-test" / "metrics.json").is_file()


def test_evaluate_command_with_wrong_input_exits_2_with_a_sentence(
    model: Path, fer: Path, clean: Path, tmp_path: Path, mien_train: Run
) -> None:
    for file in clean.rglob("PrivateTest_*"):
        file.unlink()
    (tmp_path / "text.keras").write_text("no model")
    (tmp_path / "run").mkdir()
    for arguments, words in (
        ((model, clean, "--split", "test"), "no test split"),
        ((model, clean, "--split", "exam"), "no split 'exam'"),
        ((model, tmp_path / "none"), "here is no"),
        ((tmp_path / "text.keras", clean), "text.keras"),
        ((tmp_path / "run", clean), "there is no"),
    ):
        code, out, err = mien_train("evaluate", *arguments)
        assert code == 2, words
        assert words in err
        assert "Traceback" not in out + err


def test_evaluate_with_eight_logits_raises(fer: Path) -> None:
    data = load(fer)
    with pytest.raises(UserError, match="7 logits"):
        evaluate(lambda images: np.zeros((len(images), 8), np.float32), data, "validation")


def test_evaluate_command_with_a_broken_log_exits_2(
    model: Path, fer: Path, tmp_path: Path, mien_train: Run
) -> None:
    run = tmp_path / "run"
    run.mkdir()
    (run / "model.keras").write_bytes((model / "model.keras").read_bytes())
    (run / "log.csv").write_text("no,log\n1,2\n")
    code, _, err = mien_train("evaluate", run, fer)
    assert code == 2
    assert "log.csv is not a log of mien-train fit" in err
