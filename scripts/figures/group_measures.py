"""Measures a model on groups of faces, with intervals: accuracy, confidence, recall.

    python scripts/figures/group_measures.py fer2013.zip public.csv --votes votes.csv \
        --split PublicTest
    python scripts/figures/group_measures.py lfw_expr.zip lfw.csv

The CSV has a column "face", the name of the picture in the data, and a column for each kind of
group, as label_groups.py writes it. With --votes the pictures are faces cut out and the truth is
the majority of ten people; else they are photographs, in which Mien finds the face, and the truth
is their folder. Accuracy and recall have Wilson's interval. "equal mix" is the mean recall of the
classes with MIN_FACES faces both in the group and outside of it, so that a group is not better for
smiling more; its gap to all other faces has a percentile bootstrap interval. All are of 95 %.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from mien import Reader
from mien.classification.classifier import Classifier
from mien.classification.prediction import softmax
from mien.classification.preprocess import preprocess_face
from mien.console import table
from mien.evaluation.dataset import list_faces
from mien.evaluation.ferplus import majority, read_votes
from mien.tflite.model_file import load_model
from mien_convert.evaluation.end_to_end import read_photographs

MIN_FACES = 10
NORMAL = 1.96  # standard deviations of a normal distribution, 95 %
DRAWS = 2000
SEED = 7

Bools = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


def wilson(right: int, total: int) -> tuple[float, float]:
    """Return Wilson's interval of a share (JASA 22, 1927)."""
    share, spread = right / total, NORMAL**2 / total
    center = (share + spread / 2) / (1 + spread)
    half = NORMAL / (1 + spread) * np.sqrt(share * (1 - share) / total + spread / (4 * total))
    return float(center - half), float(center + half)


def gap(truth: Ints, right: Bools, inside: Bools) -> tuple[float, float, float, float] | None:
    """Return the mean recall inside, its difference to outside, and the difference's interval.

    `truth` is int [n], `right` and `inside` bool [n]. None where no class has MIN_FACES faces on
    both sides.
    """
    cells = []
    for label in np.unique(truth):
        pair = [right[(truth == label) & side] for side in (inside, ~inside)]
        if min(map(len, pair)) >= MIN_FACES:
            cells.append(pair)
    if not cells:
        return None
    rng = np.random.default_rng(SEED)
    # The mean of n drawn hits and misses is a binomial share.
    drawn = [
        np.mean(
            [rng.binomial(len(c[side]), c[side].mean(), DRAWS) / len(c[side]) for c in cells], 0
        )
        for side in (0, 1)
    ]
    low, high = np.quantile(drawn[0] - drawn[1], (0.025, 0.975))
    mine, others = (float(np.mean([cell[side].mean() for cell in cells])) for side in (0, 1))
    return mine, mine - others, float(low), float(high)


def read(
    data: Path, votes: Path | None, split: str | None, model: str
) -> tuple[list[str], Ints, Floats]:
    """Return names, truth [n] (-1: none) and probabilities [n, K] (zeros: no face found)."""
    loaded = load_model(model)
    labels = loaded.metadata.labels
    faces = list_faces(data, labels, split)
    names = [name for name, _ in faces.members]
    if votes is None:
        truth, probabilities, _ = read_photographs(faces.faces(), Reader(model))
        return names, truth, probabilities
    crops = [preprocess_face(gray, None, loaded.metadata) for _, _, gray in faces.faces()]
    logits = Classifier(loaded).logits(np.stack(crops))
    probabilities = softmax(logits, loaded.metadata.temperature).astype(np.float64)
    return names, majority(read_votes(votes, names), labels), probabilities


def share(hits: Bools) -> str:
    """Return a share with its interval, in percent."""
    low, high = wilson(int(hits.sum()), len(hits))
    return f"{100 * hits.mean():.1f} ({100 * low:.1f} to {100 * high:.1f})"


def rows(
    groups: dict[str, dict[str, str]], names: Sequence[str], truth: Ints, probabilities: Floats
) -> list[list[str]]:
    """Return the table's rows, a row for each group of each kind."""
    kinds = list(next(iter(groups.values())))
    right = probabilities.argmax(axis=1) == truth
    known = (truth >= 0) & probabilities.any(axis=1) & np.array([name in groups for name in names])
    found = []
    for kind in kinds:
        words = np.array([groups[name][kind] if name in groups else "" for name in names])
        for word in sorted(set(words[known])):
            inside = (words == word)[known]
            hits, answers = right[known], truth[known]
            confidence = 100 * probabilities[known][inside].max(axis=1).mean()
            mixed = ["-", "-"]
            if compared := gap(answers, hits, inside):
                mine, change, low, high = (100 * value for value in compared)
                sure = "*" if low * high > 0 else ""
                mixed = [f"{mine:.1f}", f"{change:+.1f} ({low:+.1f} to {high:+.1f}){sure}"]
            found.append(
                [
                    f"{kind}: {word}",
                    str(int(inside.sum())),
                    share(hits[inside]),
                    f"{confidence:.1f}",
                    *mixed,
                    *(
                        share(hits[inside & (answers == k)])
                        if (inside & (answers == k)).sum() >= MIN_FACES
                        else "-"
                        for k in range(probabilities.shape[1])
                    ),
                ]
            )
    return found


def main() -> None:
    """Print the table in Markdown's or the terminal's form."""
    parser = argparse.ArgumentParser(description="Measures of a model by groups of faces.")
    parser.add_argument("data", type=Path)
    parser.add_argument("groups", type=Path)
    parser.add_argument("--votes", type=Path)
    parser.add_argument("--split")
    parser.add_argument("--model", default="mien")
    parser.add_argument("--markdown", action="store_true")
    arguments = parser.parse_args()
    with arguments.groups.open(encoding="utf-8", newline="") as file:
        groups = {row.pop("face"): row for row in csv.DictReader(file)}
    measured = read(arguments.data, arguments.votes, arguments.split, arguments.model)
    labels = load_model(arguments.model).metadata.labels
    head = ["group", "faces", "accuracy", "confidence", "equal mix", "gap to the others", *labels]
    lines = [head, *rows(groups, *measured)]
    if arguments.markdown:
        lines.insert(1, ["---"] * len(head))
        print("\n".join("| " + " | ".join(line) + " |" for line in lines))
    else:
        print(table(lines, right=(1, 3, 4)))


if __name__ == "__main__":
    main()
