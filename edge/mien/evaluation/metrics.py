"""Classification metrics and calibration in NumPy; the device has no scikit-learn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

CALIBRATION_BINS = 15  # of equal width, as in Guo et al. 2017

Ints = npt.NDArray[np.integer]
Floats = npt.NDArray[np.floating]


def confusion(labels: Ints, predicted: Ints, classes: int) -> npt.NDArray[np.int64]:
    """Return counts [classes, classes]; the row is the true class, the column the predicted."""
    counts = np.zeros((classes, classes), np.int64)
    np.add.at(counts, (labels, predicted), 1)
    return counts


def recall(counts: Ints) -> npt.NDArray[np.float64]:
    """Return each class's recall [K] from a confusion matrix; NaN for a class without faces."""
    with np.errstate(invalid="ignore"):
        return np.asarray(np.diag(counts) / counts.sum(axis=1), np.float64)


def f1(counts: Ints) -> npt.NDArray[np.float64]:
    """Return the F1 of each class [K] from a confusion matrix; 0 where it is never right."""
    both = counts.sum(axis=0) + counts.sum(axis=1)
    return np.asarray(2 * np.diag(counts) / np.maximum(both, 1), np.float64)


@dataclass(frozen=True)
class Reliability:
    """Confidence against accuracy, per bin of confidence; bins without faces are NaN."""

    edges: npt.NDArray[np.float64]  # [bins + 1]
    confidence: npt.NDArray[np.float64]  # [bins], mean of the largest probability
    accuracy: npt.NDArray[np.float64]  # [bins], fraction
    count: npt.NDArray[np.int64]  # [bins]

    @property
    def ece(self) -> float:
        """Expected calibration error: gaps of accuracy and confidence, weighted by their faces."""
        filled = self.count > 0
        gaps = np.abs(self.accuracy - self.confidence)[filled]
        return float((gaps * self.count[filled]).sum() / self.count.sum())


def reliability(labels: Ints, probabilities: Floats, bins: int = CALIBRATION_BINS) -> Reliability:
    """Return the reliability diagram of labels [n] and probabilities [n, K].

    Faces go into `bins` equal bins (lower edge open, upper closed) by their largest probability;
    Guo et al., "On Calibration of Modern Neural Networks", ICML 2017.
    """
    confidence = probabilities.max(axis=1).astype(np.float64)
    right = probabilities.argmax(axis=1) == labels
    index = np.clip(np.ceil(confidence * bins).astype(int) - 1, 0, bins - 1)
    count = np.bincount(index, minlength=bins)
    with np.errstate(invalid="ignore"):
        return Reliability(
            edges=np.linspace(0, 1, bins + 1),
            confidence=np.bincount(index, weights=confidence, minlength=bins) / count,
            accuracy=np.bincount(index, weights=right, minlength=bins) / count,
            count=count,
        )


def score(labels: Ints, probabilities: Floats, names: Sequence[str]) -> dict[str, Any]:
    """Return all metrics of labels [n] and probabilities [n, K] as a dict ready for JSON.

    Keys: accuracy, balanced_accuracy, macro_f1, ece (fractions), recall {name: fraction, None for a
    class without faces}, n, confusion [K][K]. Classes without faces do not count in the means.
    Raises ValueError where there is no face.
    """
    if len(labels) == 0 or probabilities.shape != (len(labels), len(names)):
        raise ValueError(f"{len(labels)} labels and probabilities {list(probabilities.shape)}")
    counts = confusion(labels, probabilities.argmax(axis=1), len(names))
    present = counts.sum(axis=1) > 0
    recalls = recall(counts)
    return {
        "accuracy": float(np.trace(counts) / counts.sum()),
        "balanced_accuracy": float(recalls[present].mean()),
        "macro_f1": float(f1(counts)[present].mean()),
        "recall": {
            name: float(value) if there else None
            for name, value, there in zip(names, recalls, present, strict=True)
        },
        "ece": reliability(labels, probabilities).ece,
        "n": len(labels),
        "confusion": counts.tolist(),
    }
