"""Measures the package fer on PublicTest as Mien's models are measured: two truths, one crop.

    fer/bin/python scripts/figures/evaluate_fer.py fer2013.zip --votes fer2013new.csv

Run by the Python of an environment that has fer (docs/speed.md says how to make one). Its network
gets the 48x48 faces enlarged to its 64x64, as its own code would hand over a found face. Prints a
line of JSON: accuracy and balanced accuracy by each truth, and milliseconds of CPU for one face.
"""

from __future__ import annotations

import argparse
import importlib
import json
import sys
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np

sys.path.insert(0, str(Path(__file__).parents[2]))

from mien.evaluation.metrics import score
from mien_train.data.fer2013 import load
from mien_train.data.ferplus import counts, majority
from mien_train.data.labels import LABELS

# In the order of fer's outputs.
THEIRS = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")


def scored(probabilities: np.ndarray, truth: np.ndarray) -> dict[str, Any]:
    """Return accuracy and balanced accuracy in percent; truth -1 is left out."""
    known = truth >= 0
    found = score(truth[known], probabilities[known], LABELS)
    percent = {key: round(100 * found[key], 1) for key in ("accuracy", "balanced_accuracy")}
    return {"n": found["n"], **percent}


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description="Measures the package fer on PublicTest.")
    parser.add_argument("data", type=Path, help="FER-2013")
    parser.add_argument("--votes", type=Path, required=True, help="FER+'s fer2013new.csv")
    arguments = parser.parse_args()
    reader = importlib.import_module("fer.fer").FER()
    data = load(arguments.data)
    data = data.select(np.asarray(data.splits) == "validation")
    order = [THEIRS.index(label) for label in LABELS]
    start, found = time.process_time(), []
    for face in data.images:
        enlarged = cv2.resize(face, (64, 64)).astype(np.float32)
        found.append(reader._classify_emotions((enlarged[None] / 255.0 - 0.5) * 2.0)[0])
    ms = (time.process_time() - start) * 1000 / len(found)
    probabilities = np.array(found)[:, order]
    people = majority(counts(arguments.votes, data))
    document = {
        "benchmark": scored(probabilities, np.asarray(data.labels)),
        "people": scored(probabilities, people),
        "cpu_ms": round(ms, 2),
    }
    print(json.dumps(document))


if __name__ == "__main__":
    main()
