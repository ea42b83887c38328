"""The gate's arithmetic, by hand and against SciPy's and NumPy's own words."""

from __future__ import annotations

import numpy as np
import pytest
from mien_convert.accuracy_gate import agreement, class_losses, gate_failures, mcnemar, mean_kl

NAMES = ("a", "b", "c", "d", "e", "f", "g")


def logits_of(predicted: np.ndarray) -> np.ndarray:
    return np.eye(7, dtype=np.float32)[predicted] * 5


def test_mcnemar_equals_the_exact_binomial_test() -> None:
    first = np.array([True] * 9 + [False] * 1 + [True] * 50)
    second = np.array([False] * 9 + [True] * 1 + [True] * 50)
    # Of ten faces that only one reads rightly, 9 to 1: 2 * (1 + 10) / 2**10.
    assert mcnemar(first, second) == pytest.approx(22 / 1024)
    assert mcnemar(second, first) == pytest.approx(22 / 1024)
    assert mcnemar(first, first) == 1.0


def test_mean_kl_and_agreement_by_hand() -> None:
    p, q = np.log([[0.5, 0.25, 0.25]]), np.log([[0.25, 0.5, 0.25]])
    wanted = 0.5 * np.log(2) + 0.25 * np.log(0.5)
    assert mean_kl(p.astype(np.float32), q.astype(np.float32)) == pytest.approx(wanted, abs=1e-6)
    assert mean_kl(p.astype(np.float32), p.astype(np.float32) + 3) == pytest.approx(0, abs=1e-6)
    same = np.array([[1.0, 0], [0, 1], [0, 1], [1, 0]], np.float32)
    assert agreement(same, same[[0, 1, 2, 1]]) == 0.75


def test_gate_with_accuracy_loss_at_the_limit_passes() -> None:
    labels = np.repeat(np.arange(7), 100)
    worse = labels.copy()
    worse[::100] = (worse[::100] + 1) % 7  # one of each class: 1.0 point
    args = (NAMES, 1.0, 3.0)
    assert gate_failures(labels, logits_of(labels), logits_of(worse), *args) == []
    worse[1] = 1
    (reason,) = gate_failures(labels, logits_of(labels), logits_of(worse), *args)
    assert reason.startswith("accuracy fell by 1.1 points (from 100.0 to 98.9 %)")
    assert "a 2.0, b 1.0" in reason


def test_gate_with_insignificant_recall_loss_passes() -> None:
    labels = np.repeat(np.arange(7), [900, 56, 500, 900, 600, 650, 400])
    worse = labels.copy()
    worse[900:903] = 0  # 3 of 56: 5.4 points, p = 0.25
    assert gate_failures(labels, logits_of(labels), logits_of(worse), NAMES, 1.0, 3.0) == []
    worse[903:908] = 0  # 8 of 56: p = 0.008, 0.2 points of accuracy
    (reason,) = gate_failures(labels, logits_of(labels), logits_of(worse), NAMES, 1.0, 3.0)
    assert reason.startswith("b lost 14.3 points of recall on 56 faces (p = 0.0078)")


def test_gate_with_significant_recall_loss_within_the_limit_passes() -> None:
    labels = np.repeat(np.arange(7), 1000)
    worse = labels.copy()
    worse[:30] = 1  # 3.0 points, p = 2e-9
    assert gate_failures(labels, logits_of(labels), logits_of(worse), NAMES, 1.0, 3.0) == []
    assert len(gate_failures(labels, logits_of(labels), logits_of(worse), NAMES, 1.0, 2.9)) == 1


def test_class_losses_skip_classes_without_faces() -> None:
    labels = np.array([0, 0, 3])
    found = class_losses(labels, logits_of(labels), logits_of(labels), NAMES)
    assert [(loss.label, loss.count, loss.points) for loss in found] == [("a", 2, 0), ("d", 1, 0)]
