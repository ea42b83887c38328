"""Measures profiles on simulated people: observers who name PublicTest's faces in their own way.

    python scripts/figures/simulate_profiles.py fer2013.zip votes.csv

Each observer labels PublicTest's faces. A profile is fitted on N of them for each label, drawn at
random, and read on the rest; without a profile where the fit refuses. docs/calibrate.md has the
table.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import numpy.typing as npt
from mien.classification.classifier import Classifier
from mien.classification.preprocess import preprocess_face
from mien.classification.profile import fit_profile
from mien.console import table
from mien.evaluation.dataset import list_faces
from mien.evaluation.ferplus import majority, read_votes
from mien.tflite.metadata import Metadata
from mien.tflite.model_file import load_model

# What each observer calls a face whose majority of ten people is on the left.
OBSERVERS: dict[str, dict[str, str]] = {
    "agrees with the majority": {},
    "swaps angry and sad, fear and surprise": {
        "angry": "sad",
        "sad": "angry",
        "fear": "surprise",
        "surprise": "fear",
    },
    "knows no disgust, fear or sadness": {
        "disgust": "angry",
        "fear": "surprise",
        "sad": "neutral",
    },
}
PICTURES = (1, 2, 5)  # for each label
DRAWS = 6
SEED = 7


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description="Profiles of simulated people.")
    parser.add_argument("fer2013", type=Path)
    parser.add_argument("votes", type=Path)
    parser.add_argument("--model", default="mien")
    arguments = parser.parse_args()
    model = load_model(arguments.model)
    labels = model.metadata.labels
    faces = list_faces(arguments.fer2013, labels, "PublicTest")
    crops = [preprocess_face(gray, None, model.metadata) for _, _, gray in faces.faces()]
    logits = Classifier(model).logits(np.stack(crops))
    people = majority(read_votes(arguments.votes, [name for name, _ in faces.members]), labels)
    logits, people = logits[people >= 0], people[people >= 0]
    rows = [["observer", "pictures a label", "before", "after", "worst change", "profiles"]]
    for name, words in OBSERVERS.items():
        index = np.array([labels.index(words.get(label, label)) for label in labels])
        answers = index[people]
        for count in PICTURES:
            print(f"{name}, {count}", file=sys.stderr)
            rows.append([name, str(count), *simulate(logits, answers, count, model.metadata)])
    print(table(rows, right=(1, 2, 3, 4)))


def simulate(
    logits: npt.NDArray[np.float32], answers: npt.NDArray[np.int64], count: int, metadata: Metadata
) -> list[str]:
    """Return accuracy before and after, the worst change in points, and the kinds of profiles."""
    rng = np.random.default_rng(SEED)
    before, after, kinds = [], [], Counter[str]()
    for _ in range(DRAWS):
        chosen = np.concatenate(
            [
                rng.permutation(np.flatnonzero(answers == label))[:count]
                for label in np.unique(answers)
            ]
        )
        rest = np.setdiff1d(np.arange(len(answers)), chosen)
        profile = fit_profile(logits[chosen], answers[chosen], metadata, "simulated").profile
        mapped = logits[rest] if profile is None else profile.apply(logits[rest])
        before.append((logits[rest].argmax(axis=1) == answers[rest]).mean())
        after.append((mapped.argmax(axis=1) == answers[rest]).mean())
        kinds[profile.kind if profile else "none"] += 1
    worst = 100 * float(np.min(np.subtract(after, before)))
    return [
        f"{100 * np.mean(before):.1f} %",
        f"{100 * np.mean(after):.1f} %",
        f"{worst:+.1f}",
        ", ".join(f"{kind} {n}" for kind, n in kinds.most_common()),
    ]


if __name__ == "__main__":
    main()
