"""Evaluation of a classifier on a split of FER-2013, with and without duplicates of training."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from mien.atomic import write_file
from mien.classification.prediction import softmax
from mien.errors import UserError
from mien.evaluation.ferplus import majority
from mien.evaluation.metrics import Reliability, reliability, score
from mien.evaluation.truths import score_where, truths, vote_measures
from numpy.typing import NDArray

from mien_train.data.duplicates import has_near_twin, has_twin
from mien_train.data.fer2013 import SPLITS, Dataset
from mien_train.data.labels import LABELS

# uint8 [n, 48, 48] to logits float32 [n, 7].
Logits = Callable[[NDArray[np.uint8]], NDArray[np.float32]]
Scores = dict[str, Any]  # of mien.evaluation.metrics.score


@dataclass(frozen=True)
class Evaluation:
    """Metrics of one split by several truths; None where a truth has no faces."""

    split: str
    labels: str  # truth of `all` and the duplicates: "fer2013", or "votes" (majority, ties out)
    all: Scores
    without_duplicates: Scores | None  # no byte-identical copy in train
    without_near_duplicates: Scores | None  # nor a nearly identical one
    benchmark: Scores  # FER-2013's labels
    people: Scores | None  # majority of FER+'s votes, ties out
    people_ties_to_first: Scores | None  # ties broken as NumPy's argmax does
    agreed: Scores | None  # FER-2013's label is the majority, too
    votes: dict[str, Any]  # see mien.evaluation.truths.vote_measures
    reliability: Reliability  # of all


def evaluate(
    logits: Logits,
    dataset: Dataset,
    split: str,
    votes: NDArray[np.float32] | None = None,
    labels: str = "fer2013",
) -> Evaluation:
    """Score a model on a split, against FER-2013's labels and, with votes, against people's.

    Args:
        logits: the model.
        dataset: the split and, to find copies, the training split.
        split: "train", "validation" or "test".
        votes: float32 [n, 10] of the whole data set, see `mien_train.data.ferplus.counts`.
        labels: "fer2013" or "votes", the truth of `all`.

    Raises:
        UserError: there is no such split in the data, or the model does not have seven outputs.
    """
    if split not in SPLITS:
        raise UserError(f"there is no split '{split}'; --split takes {', '.join(SPLITS)}.")
    chosen = dataset.splits == split
    part = dataset.select(chosen)
    if not len(part):
        files = {"validation": "PublicTest_*", "test": "PrivateTest_*", "train": "Training_*"}
        raise UserError(
            f"the data has no {split} split (pictures {files[split]}); choose another with --split."
        )
    found = logits(part.images)
    if found.ndim != 2 or found.shape[1] != len(LABELS):
        raise UserError(
            f"the model gives outputs of the shape {list(found.shape[1:])} and not "
            f"{len(LABELS)} logits; give a model of mien-train fit."
        )
    probabilities = softmax(found)
    voted = None if votes is None else votes[chosen]
    answers = truths(voted, part.labels, LABELS)
    truth = answers["people" if labels == "votes" and voted is not None else "benchmark"]
    known = truth >= 0
    if not known.any():
        raise UserError(f"people agree about no face of the {split} split; use --labels fer2013.")

    def scored(by: NDArray[np.int64]) -> Scores | None:
        return score_where(by, probabilities, LABELS)

    without = near = None
    train = dataset.select(dataset.splits == "train")
    if split != "train" and len(train):
        without = scored(np.where(has_twin(part, train), -1, truth))
        near = scored(np.where(has_near_twin(part, train), -1, truth))
    return Evaluation(
        split=split,
        labels=labels,
        all=score(truth[known], probabilities[known], LABELS),
        without_duplicates=without,
        without_near_duplicates=near,
        benchmark=score(part.labels, probabilities, LABELS),
        people=None if voted is None else scored(answers["people"]),
        people_ties_to_first=None if voted is None else scored(majority(voted, LABELS, True)),
        agreed=None if voted is None else scored(answers["agreed"]),
        votes={} if voted is None else vote_measures(voted, probabilities, LABELS),
        reliability=reliability(truth[known], probabilities[known]),
    )


def to_json(found: Evaluation) -> dict[str, object]:
    """The evaluation as plain values."""
    return {
        "split": found.split,
        "labels": found.labels,
        "all": found.all,
        "without_duplicates": found.without_duplicates,
        "without_near_duplicates": found.without_near_duplicates,
        "benchmark": found.benchmark,
        "people": found.people,
        "people_ties_to_first": found.people_ties_to_first,
        "agreed": found.agreed,
        **found.votes,
    }


def to_text(found: Evaluation) -> str:
    """The evaluation as a table."""
    columns: dict[str, Scores | None] = {
        "all": found.all,
        "no copies": found.without_duplicates,
        "nor near": found.without_near_duplicates,
        "fer2013": found.benchmark if found.labels == "votes" else None,
        "people": found.people if found.labels != "votes" else None,
        "agreed": found.agreed,
    }
    shown = {head: values for head, values in columns.items() if values is not None}

    def row(name: str, key: str, of: str | None = None) -> str:
        cells = []
        for values in shown.values():
            value = values["recall"][of] if of else values[key]
            cells.append("-" if value is None else f"{value:,}" if key == "n" else f"{value:.1%}")
        return name.ljust(20) + "".join(cell.rjust(11) for cell in cells)

    lines = [found.split.ljust(20) + "".join(head.rjust(11) for head in shown), row("faces", "n")]
    lines += [row("accuracy", "accuracy"), row("balanced accuracy", "balanced_accuracy")]
    lines += [row("macro F1", "macro_f1"), row("calibration error", "ece")]
    lines += [row(f"recall {name}", "recall", name) for name in LABELS]
    lines.append("")
    if found.votes:
        rule, voters = found.votes["ferplus_rule"], found.votes["by_voters"]
        lines += [
            f"FER+'s own rule, eight classes: {rule['accuracy']:.1%} of {rule['n']:,} faces",
            "people, by voters who agree: "
            + ", ".join(
                f"{count} {row['accuracy']:.1%}" for count, row in voters.items() if row["n"]
            ),
        ]
    if found.without_duplicates is not None:
        lines.append("no copies: without byte-identical copies of training faces")
        lines.append("nor near: without nearly identical copies, too")
    if found.people is not None:
        lines.append("people: majority of ten votes, where that is one of the seven classes")
        lines.append("agreed: faces whose FER-2013 label is that majority")
    return "\n".join(lines)


def write(folder: Path, document: dict[str, Any], found: Evaluation, log: Path) -> list[Path]:
    """Write metrics.json, confusion.png and reliability.png, and curves.png where `log` exists.

    Returns the files. Raises UserError where the folder cannot be written or `log` is no log.
    """
    from mien_train.evaluation import charts  # Matplotlib takes a second to import

    by = "people" if found.labels == "votes" else "FER-2013"
    title = (
        f"{found.split} by {by}: accuracy {found.all['accuracy']:.1%}, "
        f"balanced {found.all['balanced_accuracy']:.1%}"
    )
    figures = {
        "confusion.png": charts.confusion(found.all["confusion"], title),
        "reliability.png": charts.reliability(
            found.reliability, f"{found.split} by {by}: calibration error {found.all['ece']:.3f}"
        ),
    }
    if log.exists():
        try:
            with log.open(encoding="utf-8", newline="") as file:
                figures["curves.png"] = charts.curves(list(csv.DictReader(file)))
        except (OSError, KeyError, ValueError, TypeError, csv.Error) as error:
            raise UserError(f"{log} is not a log of mien-train fit; remove it.") from error
    write_file(folder / "metrics.json", (json.dumps(document, indent=1) + "\n").encode())
    for name, figure in figures.items():
        charts.save_png(figure, folder / name)
    return [folder / "metrics.json", *(folder / name for name in figures)]
