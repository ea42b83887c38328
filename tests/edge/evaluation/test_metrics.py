from __future__ import annotations

import json

import numpy as np
import pytest
from mien.evaluation.metrics import reliability, score

NAMES = ("a", "b", "c")


def certain(predicted: list[int]) -> np.ndarray:
    return np.eye(3)[predicted]


def test_scores_of_a_case_worked_by_hand() -> None:
    labels = np.array([0, 0, 0, 0, 1, 1, 2, 2])
    scores = score(labels, certain([0, 0, 0, 1, 1, 1, 0, 2]), NAMES)
    assert scores["n"] == 8
    assert scores["accuracy"] == 6 / 8
    assert scores["recall"] == {"a": 0.75, "b": 1.0, "c": 0.5}
    assert scores["balanced_accuracy"] == pytest.approx(0.75)
    # precision 3/4, 2/3, 1; F1 3/4, 4/5, 2/3
    assert scores["macro_f1"] == pytest.approx((3 / 4 + 4 / 5 + 2 / 3) / 3)
    assert scores["confusion"] == [[3, 1, 0], [0, 2, 0], [1, 0, 1]]
    assert scores["ece"] == pytest.approx(0.25)  # always sure, right three times of four
    json.dumps(scores, allow_nan=False)


def test_a_class_without_faces_counts_in_no_mean() -> None:
    scores = score(np.array([0, 0, 1]), certain([0, 0, 1]), NAMES)
    assert scores["recall"] == {"a": 1.0, "b": 1.0, "c": None}
    assert scores["balanced_accuracy"] == scores["macro_f1"] == 1.0


def test_calibration_error_by_hand() -> None:
    """Two bins of fifteen: (0.6, 0.6667] holds one right of two, (0.8667, 0.9333] one wrong."""
    probabilities = np.array([[0.65, 0.35], [0.35, 0.65], [0.9, 0.1]])
    labels = np.array([0, 0, 1])
    expected = (2 * abs(0.65 - 0.5) + abs(0.9 - 0)) / 3
    assert reliability(labels, probabilities).ece == pytest.approx(expected)


def test_edges_of_bins_belong_below() -> None:
    """Confidence 1 is in the last bin, and 3/15 in the third with what lies just under it."""
    assert reliability(np.array([0]), np.array([[1.0, 0.0]])).ece == 0
    close = np.array([[0.2, *[0.1] * 8], [0.19, *[0.10125] * 8]])
    assert reliability(np.array([0, 1]), close).ece == pytest.approx(abs(0.39 - 1) / 2)


def test_against_scikit_learn() -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    generator = np.random.default_rng(2)
    labels = generator.integers(0, 7, 500)
    probabilities = generator.dirichlet(np.ones(7), 500)
    predicted = probabilities.argmax(axis=1)
    scores = score(labels, probabilities, [str(i) for i in range(7)])
    assert scores["accuracy"] == pytest.approx(metrics.accuracy_score(labels, predicted))
    balanced = metrics.balanced_accuracy_score(labels, predicted)
    assert scores["balanced_accuracy"] == pytest.approx(balanced)
    assert scores["macro_f1"] == pytest.approx(metrics.f1_score(labels, predicted, average="macro"))
    assert scores["confusion"] == metrics.confusion_matrix(labels, predicted).tolist()


def test_nothing_cannot_be_scored() -> None:
    with pytest.raises(ValueError, match="0 labels"):
        score(np.array([], int), np.zeros((0, 3)), NAMES)


def test_a_bin_without_faces_has_no_accuracy() -> None:
    bins = reliability(np.array([0]), np.array([[1.0, 0.0]]))
    assert bins.count.tolist() == [0] * 14 + [1]
    assert np.isnan(bins.accuracy[0])
