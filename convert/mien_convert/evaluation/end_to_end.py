"""End-to-end accuracy: labelled photographs through detector and classifier, as `mien image` does.

A photograph counts as one face, the largest that is found; a missed face counts as an error.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt
from mien import Reader
from mien.evaluation.dataset import LabelledFace
from mien.evaluation.metrics import reliability

Labels = npt.NDArray[np.int64]  # [n], index into the model's labels


def read_photographs(
    photographs: Iterable[LabelledFace], reader: Reader
) -> tuple[Labels, npt.NDArray[np.float64], npt.NDArray[np.bool_]]:
    """Return labels [n], probabilities float64 [n, K] (zeros: no face) and "uncertain" bool [n]."""
    truth, rows, uncertain = [], [], []
    for _, label, gray in photographs:
        faces = reader.read(gray)
        truth.append(label)
        probabilities = faces[0].probabilities if faces else dict.fromkeys(reader.labels, 0.0)
        rows.append([probabilities[name] for name in reader.labels])
        uncertain.append(not faces or faces[0].emotion not in reader.labels)
    return np.array(truth, np.int64), np.array(rows, np.float64), np.array(uncertain, bool)


def measure(
    truth: Labels,
    probabilities: npt.NDArray[np.float64],
    uncertain: npt.NDArray[np.bool_],
    labels: tuple[str, ...],
) -> dict[str, Any]:
    """Return the measures, all fractions; the arguments are those of `read_photographs`."""
    found = probabilities.any(axis=1)
    correct = found & (probabilities.argmax(axis=1) == truth)
    recall = {
        name: float(correct[truth == k].mean()) if (truth == k).any() else None
        for k, name in enumerate(labels)
    }
    certain = found & ~uncertain
    calibration = reliability(truth[found], probabilities[found]) if found.any() else None
    return {
        "n": len(truth),
        "missed": float((~found).mean()),
        "accuracy": float(correct.mean()),
        "balanced_accuracy": float(np.mean([r for r in recall.values() if r is not None])),
        "accuracy_of_found": float(correct[found].mean()) if found.any() else None,
        "ece_of_found": None if calibration is None else calibration.ece,
        "certain": float(certain.mean()),
        "accuracy_of_certain": float(correct[certain].mean()) if certain.any() else None,
        "recall": recall,
    }
