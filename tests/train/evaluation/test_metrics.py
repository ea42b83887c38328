"""Metrics against figures worked out by hand, and against the device's."""

from __future__ import annotations

import numpy as np
import pytest
from mien_train.data.labels import LABELS
from mien_train.evaluation.metrics import reliability, score, softmax


def probabilities_of(predicted: list[int], confidence: float = 0.9) -> np.ndarray:
    out = np.full((len(predicted), len(LABELS)), (1 - confidence) / (len(LABELS) - 1), np.float32)
    out[np.arange(len(predicted)), predicted] = confidence
    return out


def test_by_hand() -> None:
    labels = np.array([0, 0, 0, 0, 1, 2, 3, 4, 5, 6])
    found = score(labels, probabilities_of([0, 0, 0, 1, 1, 3, 3, 4, 5, 6]))
    assert found["accuracy"] == pytest.approx(0.8)
    recall = found["recall"]
    assert recall["angry"] == pytest.approx(0.75)
    assert recall["fear"] == 0
    assert found["balanced_accuracy"] == pytest.approx((0.75 + 0 + 5) / 7)
    # F1: angry 6/7, disgust 2/3, fear 0, happy 2/3, three times 1.
    assert found["macro_f1"] == pytest.approx((6 / 7 + 2 / 3 + 0 + 2 / 3 + 3) / 7)
    assert found["n"] == 10
    assert found["confusion"][0][:2] == [3, 1]
    assert found["confusion"][2][3] == 1


def test_class_without_faces_does_not_count() -> None:
    found = score(np.array([0, 0, 3]), probabilities_of([0, 1, 3]))
    assert found["recall"]["disgust"] is None
    assert found["balanced_accuracy"] == pytest.approx(0.75)
    assert found["macro_f1"] == pytest.approx((2 / 3 + 1) / 2)


def test_ece_is_the_gap_of_confidence_and_accuracy() -> None:
    labels = np.zeros(10, np.int64)
    right_half = probabilities_of([0] * 5 + [1] * 5, confidence=0.9)
    assert score(labels, right_half)["ece"] == pytest.approx(0.4, abs=1e-6)
    two_bins = np.concatenate([probabilities_of([0] * 5, 0.95), probabilities_of([1] * 5, 0.5)])
    assert score(labels, two_bins)["ece"] == pytest.approx((0.05 + 0.5) / 2, abs=1e-6)


def test_bins_are_closed_above() -> None:
    bins = reliability(np.array([0]), probabilities_of([0], confidence=1.0))
    assert bins.count.tolist() == [0] * 14 + [1]
    assert np.isnan(bins.accuracy[0])


def test_agrees_with_the_device() -> None:
    edge_metrics = pytest.importorskip("mien.evaluation.metrics")
    rng = np.random.default_rng(0)
    labels = rng.choice([0, 2, 3, 4, 5, 6], 500)
    probabilities = softmax(rng.normal(size=(500, 7)).astype(np.float32) * 2)
    ours, theirs = score(labels, probabilities), edge_metrics.score(labels, probabilities, LABELS)
    assert set(ours) == set(theirs)
    for key in ("accuracy", "balanced_accuracy", "macro_f1", "ece"):
        assert ours[key] == pytest.approx(theirs[key], abs=1e-6), key
    assert ours["recall"] == pytest.approx(theirs["recall"])
    assert ours["confusion"] == theirs["confusion"]


def test_softmax_with_temperature() -> None:
    logits = np.array([[2.0, 0.0]], np.float32)
    assert softmax(logits)[0, 0] == pytest.approx(1 / (1 + np.exp(-2)), abs=1e-6)
    assert softmax(logits, 2.0)[0, 0] == pytest.approx(1 / (1 + np.exp(-1)), abs=1e-6)


def test_no_faces() -> None:
    with pytest.raises(ValueError, match="0 labels"):
        score(np.empty(0, np.int64), np.empty((0, 7), np.float32))
