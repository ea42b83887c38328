"""What a classifier is worth: accuracy, balanced accuracy, macro F1, recall, calibration.

The device computes the same in NumPy (edge/mien/evaluation/metrics.py); here scikit-learn does,
so that each checks
the other.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mien_train.data.labels import LABELS

BINS = 15  # of equal width, as in Guo et al., "On Calibration of Modern Neural Networks", ICML 2017


@dataclass(frozen=True)
class Reliability:
    """Confidence against accuracy, per bin of confidence; bins without faces are NaN."""

    edges: NDArray[np.float64]  # [bins + 1]
    confidence: NDArray[np.float64]  # [bins], mean of the largest probability
    accuracy: NDArray[np.float64]  # [bins], fraction
    count: NDArray[np.int64]  # [bins]

    @property
    def ece(self) -> float:
        """Expected calibration error: gaps of accuracy and confidence weighted by their faces."""
        gaps = np.abs(self.accuracy - self.confidence)[self.count > 0]
        return float(np.sum(gaps * self.count[self.count > 0]) / self.count.sum())


def reliability(
    labels: NDArray[np.int64], probabilities: NDArray[np.float32], bins: int = BINS
) -> Reliability:
    """Sort faces into bins (lower edge open, upper closed) by their largest probability.

    Args:
        labels: int [n].
        probabilities: float [n, 7].
    """
    confidence = probabilities.max(axis=1)
    right = probabilities.argmax(axis=1) == labels
    place = np.clip(np.ceil(confidence * bins).astype(np.int64) - 1, 0, bins - 1)
    count = np.bincount(place, minlength=bins)
    with np.errstate(invalid="ignore"):
        return Reliability(
            edges=np.linspace(0, 1, bins + 1),
            confidence=np.bincount(place, weights=confidence, minlength=bins) / count,
            accuracy=np.bincount(place, weights=right, minlength=bins) / count,
            count=count,
        )


def softmax(logits: NDArray[np.float32], temperature: float = 1.0) -> NDArray[np.float32]:
    """Probabilities float32 [n, K] of logits float32 [n, K] divided by the temperature."""
    scaled = (logits / temperature).astype(np.float64)
    powers = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    return (powers / powers.sum(axis=1, keepdims=True)).astype(np.float32)


def score(labels: NDArray[np.int64], probabilities: NDArray[np.float32]) -> dict[str, object]:
    """All metrics of labels int [n] and probabilities float [n, 7], ready for JSON.

    Keys: accuracy, balanced_accuracy, macro_f1, ece (fractions), recall {label: fraction, None for
    a class without faces}, n, confusion [7][7] (row true, column predicted). Classes without faces
    do not count in the means.

    Raises:
        ValueError: there is no face, or the shapes do not fit.
    """
    # Here and not above: scikit-learn takes a second that `mien-train --help` need not wait for.
    from sklearn.metrics import accuracy_score, confusion_matrix, f1_score, recall_score

    if len(labels) == 0 or probabilities.shape != (len(labels), len(LABELS)):
        raise ValueError(f"{len(labels)} labels and probabilities {list(probabilities.shape)}")
    predicted = probabilities.argmax(axis=1)
    present = sorted({int(label) for label in labels})
    recalls = recall_score(labels, predicted, labels=present, average=None, zero_division=0)
    f1 = f1_score(labels, predicted, labels=present, average="macro", zero_division=0)
    recall: dict[str, float | None] = dict.fromkeys(LABELS)
    recall |= {LABELS[k]: float(value) for k, value in zip(present, recalls, strict=True)}
    return {
        "accuracy": float(accuracy_score(labels, predicted)),
        "balanced_accuracy": float(np.mean(recalls)),
        "macro_f1": float(f1),
        "recall": recall,
        "ece": reliability(labels, probabilities).ece,
        "n": len(labels),
        "confusion": confusion_matrix(labels, predicted, labels=range(len(LABELS))).tolist(),
    }
