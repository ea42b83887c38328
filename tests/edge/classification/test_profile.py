from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from made import BANDS, LABELS, band_face
from mien.classification.classifier import Classifier
from mien.classification.profile import Profile, ProfileFit, fit_profile, load_profile
from mien.errors import UserError
from mien.tflite.model_file import Model

PLAIN = replace(BANDS, temperature=1.0)
ANGRY, FEAR, HAPPY, NEUTRAL, SAD = (
    LABELS.index(name) for name in ("angry", "fear", "happy", "neutral", "sad")
)


def faces(each: int, seed: int = 0) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]:
    """Logits of faces whose class stands out by 3 nats on average, and their classes."""
    labels = np.repeat(np.arange(7), each)
    logits = np.random.default_rng(seed).normal(0, 1, (len(labels), 7)) + 3 * np.eye(7)[labels]
    return logits.astype(np.float32), labels


def swapping(labels: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """What an observer says who takes anger for sadness and sadness for anger."""
    answers = labels.copy()
    answers[labels == ANGRY], answers[labels == SAD] = SAD, ANGRY
    return answers


def errors(fit: ProfileFit, logits: npt.NDArray[np.float32], answers: npt.NDArray[np.int64]) -> int:
    assert fit.profile is not None
    return int((fit.profile.apply(logits).argmax(axis=1) != answers).sum())


def test_five_pictures_a_class_teach_an_observer_who_swaps_two_classes() -> None:
    logits, labels = faces(5)
    fit = fit_profile(logits, swapping(labels), PLAIN, "anna")
    unseen, truth = faces(100, seed=1)
    before = int((unseen.argmax(axis=1) != swapping(truth)).sum())
    assert errors(fit, unseen, swapping(truth)) < before * 2 / 3
    assert fit.correct_after > fit.correct_before
    assert fit.profile is not None
    assert fit.profile.pictures == dict.fromkeys(LABELS, 5)


@pytest.mark.parametrize("each", [1, 5])
def test_an_observer_who_agrees_with_the_model_gets_no_profile(each: int) -> None:
    logits, labels = faces(each)
    # Three nats of distance at a standard deviation of one: calibrated where tripled.
    fit = fit_profile(logits * 3, labels, PLAIN, "anna")
    assert fit.profile is None
    assert fit.reason


def test_one_picture_a_class_of_random_answers_gets_no_profile() -> None:
    logits, labels = faces(1)
    kept = [
        seed
        for seed in range(20)
        if fit_profile(
            logits, np.random.default_rng(seed).permutation(labels), PLAIN, "anna"
        ).profile
    ]
    assert len(kept) <= 1


def test_a_label_without_pictures_is_still_read() -> None:
    logits, labels = faces(8)
    given = labels != FEAR
    fit = fit_profile(logits[given], swapping(labels[given]), PLAIN, "anna")
    unseen, truth = faces(50, seed=1)
    assert fit.profile is not None
    mapped = fit.profile.apply(unseen[truth == FEAR]).argmax(axis=1)
    assert (mapped == FEAR).mean() > 0.6  # 0.9 without the profile


def test_a_resting_face_that_looks_sad_becomes_neutral_and_a_smile_stays() -> None:
    rest = np.zeros((30, 7), np.float32)
    rest[:, SAD], rest[:, NEUTRAL] = 1.5, 1.0
    fit = fit_profile(rest, np.full(30, NEUTRAL), PLAIN, "anna")
    assert (fit.correct_before, fit.correct_after, fit.total) == (0, 30, 30)
    assert fit.profile is not None
    smile, tears = np.zeros(7), np.zeros(7)
    smile[HAPPY] = tears[SAD] = 4.0
    assert fit.profile.apply(smile).argmax() == HAPPY
    assert fit.profile.apply(tears).argmax() == SAD


def test_pictures_of_one_emotion_other_than_neutral_are_refused() -> None:
    with pytest.raises(UserError, match="Only pictures of happy"):
        fit_profile(np.zeros((3, 7)), np.full(3, HAPPY), PLAIN, "anna")


def test_frames_of_one_take_are_left_out_together() -> None:
    """Ten copies of each picture tell no more than the picture."""
    logits, labels = faces(1, seed=3)
    answers = np.random.default_rng(5).permutation(labels)
    many, groups = np.repeat(logits, 10, axis=0), np.repeat(np.arange(7), 10)
    assert fit_profile(many, np.repeat(answers, 10), PLAIN, "anna", groups).profile is None
    assert fit_profile(many, np.repeat(answers, 10), PLAIN, "anna").profile is not None


def saved(model: Model, path: Path) -> Profile:
    logits, labels = faces(5)
    profile = fit_profile(logits, swapping(labels), model.metadata, "anna").profile
    assert profile is not None
    profile.save(path)
    return profile


def test_a_saved_profile_maps_the_logits_of_a_classifier(model: Model, tmp_path: Path) -> None:
    path = tmp_path / "anna.profile.json"
    profile = saved(model, path)
    assert load_profile(path, model.metadata) == profile
    crops = np.stack([band_face(label, 0) for label in range(7)])
    logits = Classifier(model).logits(crops)
    mapped = Classifier(model, profile=profile).logits(crops)
    np.testing.assert_allclose(mapped, profile.apply(logits), rtol=1e-6)
    assert np.abs(mapped - logits).max() > 0.1


def test_a_profile_of_another_model_is_refused(model: Model, tmp_path: Path) -> None:
    path = tmp_path / "anna.profile.json"
    saved(model, path)
    with pytest.raises(UserError, match="was fitted for bands"):
        load_profile(path, replace(model.metadata, sha256="0" * 64))


@pytest.mark.parametrize(
    "change",
    [
        {"format": 2},
        {"bias": [0.0] * 6},
        {"weight": [[1.0] * 7] * 6},
        {"bias": [float("nan")] * 7},
        {"pictures": 7},
        {"labels": None},
    ],
)
def test_a_file_that_is_not_a_profile_is_refused(
    model: Model, tmp_path: Path, change: dict[str, object]
) -> None:
    path = tmp_path / "anna.profile.json"
    saved(model, path)
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(UserError, match="not a profile"):
        load_profile(path, model.metadata)


@pytest.mark.parametrize("text", ["", "[]", "{", '{"format": 1}'])
def test_a_damaged_profile_is_refused(model: Model, tmp_path: Path, text: str) -> None:
    path = tmp_path / "anna.profile.json"
    path.write_text(text)
    with pytest.raises(UserError, match="not a profile"):
        load_profile(path, model.metadata)
