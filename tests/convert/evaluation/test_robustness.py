"""Each condition does what its name says, and the table tells what it cost."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from made import LABELS, band_face, write_faces
from mien.classification.classifier import Classifier
from mien.tflite.model_file import Model
from mien_convert.evaluation.robustness import (
    conditions,
    cropped,
    dark,
    downsized,
    measure,
    rotated,
)

Run = Callable[..., tuple[int, str, str]]
RNG = np.random.default_rng(0)


@pytest.fixture
def dot() -> np.ndarray:
    """A bright spot at the right of the middle, in 48 px."""
    face = np.full((48, 48), 20, np.uint8)
    face[22:26, 34:38] = 220
    return face


def spot(face: np.ndarray) -> tuple[float, float]:
    """Where the bright spot is, in sides from the middle: right, down."""
    weight = np.clip(face.astype(float) - 60, 0, None)
    down, right = np.mgrid[0 : face.shape[0], 0 : face.shape[1]]
    middle = (face.shape[0] - 1) / 2
    return tuple(
        float(((axis - middle) * weight).sum() / weight.sum() / face.shape[0])
        for axis in (right, down)
    )


def test_cropped_and_rotated_move_the_picture_as_asked(dot: np.ndarray) -> None:
    assert spot(dot) == pytest.approx((0.25, 0.0), abs=0.01)
    assert (cropped(dot, RNG, (0.0, 0.0, 1.0)) == dot).all()
    # A box that lies to the right and below shows the spot further left and up.
    assert spot(cropped(dot, RNG, (0.1, 0.2, 1.0))) == pytest.approx((0.15, -0.2), abs=0.01)
    assert spot(cropped(dot, RNG, (0.0, 0.0, 1.25))) == pytest.approx((0.2, 0.0), abs=0.01)
    assert spot(cropped(dot, RNG, (0.1, 0.0, 0.8))) == pytest.approx((0.15 / 0.8, 0.0), abs=0.01)
    assert spot(rotated(dot, RNG, 90)) == pytest.approx((0.0, -0.25), abs=0.01)


def test_dark_and_downsized_change_light_and_size(dot: np.ndarray) -> None:
    assert dark(dot, RNG, 1 / 8).max() < 60
    assert downsized(dot, RNG, 24).shape == (24, 24)


def test_measure_loses_accuracy_under_a_harmful_condition(model: Model) -> None:
    """Bands of 6 px withstand noise and not a shift by two of them."""
    truth = np.arange(70) % 7
    faces = np.stack([band_face(k, i) for i, k in enumerate(truth)])
    truths = {"benchmark": truth, "people": np.where(np.arange(70) < 30, truth, -1)}
    classifier = Classifier(model)
    by_name = {f"{c.family} {c.level}".strip(): c for c in conditions()}
    assert {c.family for c in by_name.values()} >= {"blur", "noise", "low light", "JPEG", "small"}

    def accuracy(name: str) -> float:
        found = measure(faces, truths, classifier, by_name[name], 1)
        assert set(found["people"]) == {"accuracy", "balanced_accuracy"}
        return found["benchmark"]["accuracy"]

    assert accuracy("as it is") == 1.0
    assert accuracy("noise sd 5") > 0.9
    assert accuracy("shifted down 15 %") < 0.5


def test_robustness_command_prints_a_table_or_json(
    model_path: Path, tmp_path: Path, mien_convert: Run
) -> None:
    data = tmp_path / "fer"
    write_faces(data / "test", 1, "PublicTest_")
    write_faces(data / "train", 1, "Training_")
    for split in ("test", "train"):
        for index, label in enumerate(LABELS):
            (file,) = (data / split / label).iterdir()
            file.rename(file.with_name(file.stem + f"{index}.png"))
    words = ("robustness", model_path, data)
    code, text, err = mien_convert(*words)
    assert code == 0, err
    assert "rotated -15°" in text
    code, text, _ = mien_convert(*words, "--json")
    document = json.loads(text)
    assert document["faces"] == 7
    assert document["conditions"][0]["benchmark"]["accuracy"] == 1.0
