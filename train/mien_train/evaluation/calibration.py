"""Confidence calibration: temperature, and the threshold of "uncertain".

Both are fitted on validation faces, to the truth that the model was trained for: people's majority
where it was trained on votes, else FER-2013's labels. `mien-convert` fits them on the faces as they
are and on corrupted ones, for a confidence that holds on other pictures too.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize_scalar

Logits = npt.NDArray[np.float32]  # [n, K]
Labels = npt.NDArray[np.int64]  # [n]
Probabilities = npt.NDArray[np.floating]  # [n, K]

COVERAGES = (1.0, 0.9, 0.8, 0.7)


def fit_temperature(logits: Logits, labels: Labels) -> float:
    """Return the temperature that makes the labels likeliest (least mean negative log-likelihood).

    Temperature scaling after Guo et al., "On Calibration of Modern Neural Networks", ICML 2017.
    """
    wide = logits.astype(np.float64)
    wide -= wide.max(axis=1, keepdims=True)
    own = wide[np.arange(len(labels)), labels]

    def loss(log_temperature: float) -> float:
        factor = math.exp(-log_temperature)
        return float((np.log(np.exp(wide * factor).sum(axis=1)) - own * factor).mean())

    best = minimize_scalar(loss, bounds=(math.log(0.05), math.log(20)), method="bounded")
    return math.exp(float(best.x))


def threshold_at(probabilities: Probabilities, coverage: float) -> float:
    """Return the confidence that the share `coverage` of the faces reaches.

    `probabilities` is [n, K]. Predictions below it are "uncertain".
    """
    return float(np.quantile(probabilities.max(axis=1), 1 - coverage))


def threshold_at_accuracy(
    probabilities: Probabilities, labels: Labels, accuracy: float, least_coverage: float = 0.5
) -> float:
    """Return the lowest confidence above which `accuracy` of the faces are classified correctly.

    Where no threshold reaches that, the share `least_coverage` of the faces stays certain.
    """
    confidence = probabilities.max(axis=1)
    order = np.argsort(-confidence)
    correct = (probabilities.argmax(axis=1) == labels)[order]
    reached = np.cumsum(correct) / np.arange(1, len(labels) + 1) >= accuracy
    certain = int(np.flatnonzero(reached)[-1]) + 1 if reached.any() else 0
    certain = max(certain, int(np.ceil(least_coverage * len(labels))))
    return float(confidence[order[certain - 1]])


def risk_coverage(
    probabilities: Probabilities, labels: Labels, coverages: tuple[float, ...] = COVERAGES
) -> list[dict[str, float]]:
    """Return the accuracy on the most confident faces at each of `coverages`.

    The risk-coverage curve of El-Yaniv and Wiener, JMLR 2010, as accuracy instead of risk; each
    entry has "coverage", "threshold" (confidence) and "accuracy", all fractions.
    """
    confidence = probabilities.max(axis=1)
    right = probabilities.argmax(axis=1) == labels
    rows = []
    for coverage in coverages:
        threshold = threshold_at(probabilities, coverage)
        accuracy = float(right[confidence >= threshold].mean())
        rows.append({"coverage": coverage, "threshold": threshold, "accuracy": accuracy})
    return rows
