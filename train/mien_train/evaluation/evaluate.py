"""Evaluation of a classifier on a split of FER-2013, with and without duplicates of training."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from mien.atomic import write_file
from mien.classification.prediction import softmax
from mien.console import percent, table
from mien.errors import UserError
from mien.evaluation.ferplus import majority
from mien.evaluation.metrics import Reliability, reliability
from mien.evaluation.truths import score_where, truths, vote_measures
from numpy.typing import NDArray

from mien_train.data.duplicates import has_near_twin, has_twin
from mien_train.data.fer2013 import SPLITS, Dataset
from mien_train.data.labels import LABELS

# uint8 [n, 48, 48] to logits float32 [n, 7].
Logits = Callable[[NDArray[np.uint8]], NDArray[np.float32]]
TRUTHS = (
    *("all", "without_duplicates", "without_near_duplicates"),
    *("benchmark", "people", "people_ties_to_first", "agreed"),
)
MEASURES = {
    "accuracy": "accuracy",
    "balanced accuracy": "balanced_accuracy",
    "macro F1": "macro_f1",
    "calibration error": "ece",
}


def evaluate(
    logits: Logits,
    dataset: Dataset,
    split: str,
    votes: NDArray[np.float32] | None = None,
    labels: str = "fer2013",
) -> tuple[dict[str, Any], Reliability]:
    """Score a model on a split, against FER-2013's labels and, with votes, against people's.

    Args:
        logits: the model.
        dataset: the split and, to find copies, the training split.
        split: "train", "validation" or "test".
        votes: float32 [n, 10] of the whole data set, see `mien_train.data.ferplus.counts`.
        labels: "fer2013" or "votes" (majority, ties out), the truth of "all" and the two after it.

    Returns:
        The document that metrics.json holds, and the reliability of "all". Scores are those of
        `mien.evaluation.metrics.score`, None where a truth has no faces: "all",
        "without_duplicates" (no byte-identical copy in train), "without_near_duplicates" (nor a
        nearly identical one), "benchmark", "people", "people_ties_to_first" and "agreed"; with
        votes also what `mien.evaluation.truths.vote_measures` gives.

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
    by = {"all": truth, **answers}
    train = dataset.select(dataset.splits == "train")
    if split != "train" and len(train):
        by["without_duplicates"] = np.where(has_twin(part, train), -1, truth)
        by["without_near_duplicates"] = np.where(has_near_twin(part, train), -1, truth)
    if voted is not None:
        by["people_ties_to_first"] = majority(voted, LABELS, True)
    document: dict[str, Any] = {"split": split, "labels": labels}
    for name in TRUTHS:
        document[name] = score_where(by[name], probabilities, LABELS) if name in by else None
    if voted is not None:
        document |= vote_measures(voted, probabilities, LABELS)
    return document, reliability(truth[known], probabilities[known])


def to_text(document: dict[str, Any]) -> str:
    """The document of `evaluate` as a table."""
    other = "benchmark" if document["labels"] == "votes" else "people"
    heads = {
        "all": "all",
        "without_duplicates": "no copies",
        "without_near_duplicates": "nor near",
        other: "fer2013" if other == "benchmark" else "people",
        "agreed": "agreed",
    }
    shown = {head: document[key] for key, head in heads.items() if document[key] is not None}
    rows = [[document["split"], *shown], ["faces", *(f"{v['n']:,}" for v in shown.values())]]
    for name, key in MEASURES.items():
        rows.append([name, *(percent(values[key]) for values in shown.values())])
    for label in LABELS:
        rows.append([f"recall {label}", *(percent(v["recall"][label]) for v in shown.values())])
    lines = [table(rows, right=range(1, len(rows[0]))), ""]
    if "by_voters" in document:
        rule, voters = document["ferplus_rule"], document["by_voters"]
        lines += [
            f"FER+'s own rule, eight classes: {percent(rule['accuracy'])} of {rule['n']:,} faces",
            "people, by voters who agree: "
            + ", ".join(
                f"{count} {percent(row['accuracy'])}" for count, row in voters.items() if row["n"]
            ),
        ]
    if document["without_duplicates"] is not None:
        lines.append("no copies: without byte-identical copies of training faces")
        lines.append("nor near: without nearly identical copies, too")
    if document["people"] is not None:
        lines.append("people: majority of ten votes, where that is one of the seven classes")
        lines.append("agreed: faces whose FER-2013 label is that majority")
    return "\n".join(lines)


def write(folder: Path, document: dict[str, Any], found: Reliability, log: Path) -> list[Path]:
    """Write metrics.json, confusion.png and reliability.png, and curves.png where `log` exists.

    Returns the files. Raises UserError where the folder cannot be written or `log` is no log.
    """
    from mien_train.evaluation import charts  # Matplotlib takes a second to import

    scores = document["all"]
    where = f"{document['split']} by {'people' if document['labels'] == 'votes' else 'FER-2013'}"
    accuracy, balanced = percent(scores["accuracy"]), percent(scores["balanced_accuracy"])
    figures = {
        "confusion.png": charts.confusion(
            scores["confusion"], f"{where}: accuracy {accuracy}, balanced {balanced}"
        ),
        "reliability.png": charts.reliability(
            found, f"{where}: calibration error {scores['ece']:.3f}"
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
