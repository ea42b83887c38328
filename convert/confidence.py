"""Fits what the device makes of logits: the temperature and the threshold of "uncertain"."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize_scalar

from edge.reading import softmax

Logits = npt.NDArray[np.float32]  # [n, K]
Labels = npt.NDArray[np.int64]  # [n]

COVERAGES = (1.0, 0.9, 0.8, 0.7)


def fit_temperature(logits: Logits, labels: Labels) -> float:
    """Return the temperature that makes the labels likeliest (least mean negative log-likelihood).

    Temperature scaling after Guo et al., "On Calibration of Modern Neural Networks", ICML 2017.
    """

    def loss(log_temperature: float) -> float:
        probabilities = softmax(logits, math.exp(log_temperature))
        return float(
            -np.log(np.maximum(probabilities[np.arange(len(labels)), labels], 1e-12)).mean()
        )

    best = minimize_scalar(loss, bounds=(math.log(0.05), math.log(20)), method="bounded")
    return math.exp(float(best.x))


def threshold_at(probabilities: npt.NDArray[np.float64], coverage: float) -> float:
    """Return the confidence that the share `coverage` of the faces reaches.

    `probabilities` is [n, K]. The device says "uncertain" of what lies under it.
    """
    return float(np.quantile(probabilities.max(axis=1), 1 - coverage))


def risk_coverage(probabilities: npt.NDArray[np.float64], labels: Labels) -> list[dict[str, float]]:
    """Return the accuracy on the most confident faces at each of COVERAGES.

    The risk-coverage curve of El-Yaniv and Wiener, JMLR 2010, as accuracy instead of risk; each
    entry has "coverage", "threshold" (confidence) and "accuracy", all fractions.
    """
    confidence = probabilities.max(axis=1)
    right = probabilities.argmax(axis=1) == labels
    rows = []
    for coverage in COVERAGES:
        threshold = threshold_at(probabilities, coverage)
        accuracy = float(right[confidence >= threshold].mean())
        rows.append({"coverage": coverage, "threshold": threshold, "accuracy": accuracy})
    return rows
