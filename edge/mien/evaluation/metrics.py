"""What a classifier is worth, in NumPy alone: the device has no scikit-learn."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

BINS = 15  # of equal width, as in Guo et al. 2017

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


def ece(labels: Ints, probabilities: Floats, bins: int = BINS) -> float:
    """Return the expected calibration error of labels [n] and probabilities [n, K].

    The mean over `bins` equal bins of confidence (lower edge open, upper closed) of the distance
    between confidence and accuracy, weighted by their faces; Guo et al., ICML 2017.
    """
    confidence = probabilities.max(axis=1)
    right = probabilities.argmax(axis=1) == labels
    place = np.clip(np.ceil(confidence * bins).astype(int) - 1, 0, bins - 1)
    gap = np.bincount(place, weights=confidence - right, minlength=bins)
    return float(np.abs(gap).sum() / len(labels))


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
        "ece": ece(labels, probabilities),
        "n": len(labels),
        "confusion": counts.tolist(),
    }
