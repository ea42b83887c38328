"""The temperature and the threshold, on labels drawn from known probabilities."""

from __future__ import annotations

import numpy as np
import pytest
from mien.classification.prediction import softmax
from mien.evaluation.metrics import reliability
from mien_train.evaluation.calibration import (
    fit_temperature,
    risk_coverage,
    threshold_at,
    threshold_at_accuracy,
)


def drawn(count: int = 20000) -> tuple[np.ndarray, np.ndarray]:
    """Logits float32 [n, 7] and labels drawn with the probabilities that they state."""
    generator = np.random.default_rng(4)
    logits = generator.normal(0, 1.5, (count, 7)).astype(np.float32)
    noise = generator.gumbel(size=logits.shape)
    return logits, (logits + noise).argmax(axis=1)


@pytest.mark.parametrize("factor", [0.4, 1.0, 3.0])
def test_fit_temperature_of_stretched_logits_is_the_stretch(factor: float) -> None:
    logits, labels = drawn()
    found = fit_temperature(logits * np.float32(factor), labels)
    assert found == pytest.approx(factor, rel=0.03)
    assert reliability(labels, softmax(logits * factor, found)).ece < 0.015


def test_threshold_at_leaves_the_asked_coverage() -> None:
    probabilities = softmax(drawn()[0])
    threshold = threshold_at(probabilities, 0.9)
    assert (probabilities.max(axis=1) >= threshold).mean() == pytest.approx(0.9, abs=1e-3)
    assert (probabilities.max(axis=1) >= threshold_at(probabilities, 1.0)).all()


def test_risk_coverage_of_confident_faces_is_more_accurate() -> None:
    logits, labels = drawn()
    probabilities = softmax(logits)
    rows = risk_coverage(probabilities, labels)
    assert [row["coverage"] for row in rows] == [1.0, 0.9, 0.8, 0.7]
    accuracies = [row["accuracy"] for row in rows]
    assert accuracies[0] == pytest.approx((logits.argmax(axis=1) == labels).mean())
    assert accuracies == sorted(accuracies)
    assert accuracies[-1] > accuracies[0] + 0.05


def test_threshold_at_accuracy_is_the_lowest_that_keeps_it() -> None:
    logits, labels = drawn()
    probabilities = softmax(logits)
    threshold = threshold_at_accuracy(probabilities, labels, 0.6)
    confidence = probabilities.max(axis=1)
    correct = probabilities.argmax(axis=1) == labels
    assert correct[confidence >= threshold].mean() == pytest.approx(0.6, abs=0.001)
    assert correct[confidence >= threshold - 0.02].mean() < 0.6


def test_threshold_at_an_accuracy_out_of_reach_leaves_half_certain() -> None:
    probabilities = softmax(drawn()[0])
    wrong = (probabilities.argmax(axis=1) + 1) % 7
    threshold = threshold_at_accuracy(probabilities, wrong, 0.9)
    assert (probabilities.max(axis=1) >= threshold).mean() == pytest.approx(0.5, abs=0.001)
