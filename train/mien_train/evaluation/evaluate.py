"""What a model is worth on a split, with and without faces of which copies stand in training."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from mien.atomic import write_file
from mien.classification.prediction import softmax
from mien.errors import UserError
from mien.evaluation.metrics import Reliability, reliability, score
from numpy.typing import NDArray

from mien_train.data.duplicates import has_near_twin, has_twin
from mien_train.data.fer2013 import SPLITS, Dataset
from mien_train.data.ferplus import majority
from mien_train.data.labels import LABELS

# uint8 [n, 48, 48] to logits float32 [n, 7].
Logits = Callable[[NDArray[np.uint8]], NDArray[np.float32]]


@dataclass(frozen=True)
class Evaluation:
    """Metrics of one split, see `mien.evaluation.metrics.score`; None without faces to compare.

    The truth is that of `labels`; benchmark and people are there by the side.
    """

    split: str
    labels: str  # "fer2013", or "votes": the majority of FER+'s votes, ties left out
    all: dict[str, object]
    without_duplicates: dict[str, object] | None  # no byte-identical copy in train
    without_near_duplicates: dict[str, object] | None  # nor a nearly identical one
    benchmark: dict[str, object]  # against FER-2013's labels
    people: dict[str, object] | None  # against the majority of FER+'s votes, ties left out
    people_ties_to_first: dict[str, object] | None  # the same as NumPy's argmax breaks ties
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
        votes: float32 [n, 10] of the whole data set, see mien_train.data.ferplus.counts.
        labels: "fer2013" or "votes", the truth that is measured by where there is but one.

    Raises:
        UserError: there is no such split in the data, or the model does not have seven outputs.
    """
    if split not in SPLITS:
        raise UserError(f"there is no split '{split}'; --split takes {', '.join(SPLITS)}.")
    part = dataset.select(dataset.splits == split)
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
    people: list[dict[str, object] | None] = [None, None]
    truth = part.labels
    if votes is not None:
        seen = [majority(votes[dataset.splits == split], first) for first in (False, True)]
        people = [_score_where(by >= 0, by, probabilities) for by in seen]
        truth = seen[0] if labels == "votes" else truth
    known = truth >= 0
    if not known.any():
        raise UserError(f"people agree about no face of the {split} split; use --labels fer2013.")
    without = near = None
    train = dataset.select(dataset.splits == "train")
    if split != "train" and len(train):
        without = _score_where(known & ~has_twin(part, train), truth, probabilities)
        near = _score_where(known & ~has_near_twin(part, train), truth, probabilities)
    return Evaluation(
        split=split,
        labels=labels,
        all=score(truth[known], probabilities[known], LABELS),
        without_duplicates=without,
        without_near_duplicates=near,
        benchmark=score(part.labels, probabilities, LABELS),
        people=people[0],
        people_ties_to_first=people[1],
        reliability=reliability(truth[known], probabilities[known]),
    )


def _score_where(
    kept: NDArray[np.bool_], labels: NDArray[np.int64], probabilities: NDArray[np.float32]
) -> dict[str, object] | None:
    return score(labels[kept], probabilities[kept], LABELS) if kept.any() else None


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
    }


def to_text(found: Evaluation) -> str:
    """The evaluation as a table."""
    columns: dict[str, dict[str, object] | None] = {
        "all": found.all,
        "no copies": found.without_duplicates,
        "nor near": found.without_near_duplicates,
    }
    if found.labels == "votes":
        columns["fer2013"] = found.benchmark
    else:
        columns["people"] = found.people
    shown = {head: values for head, values in columns.items() if values is not None}

    def row(name: str, key: str, of: str | None = None) -> str:
        cells = []
        for values in shown.values():
            value = values["recall"][of] if of else values[key]  # type: ignore[index]
            cells.append("-" if value is None else f"{value:,}" if key == "n" else f"{value:.1%}")
        return name.ljust(20) + "".join(cell.rjust(11) for cell in cells)

    lines = [found.split.ljust(20) + "".join(head.rjust(11) for head in shown), row("faces", "n")]
    lines += [row("accuracy", "accuracy"), row("balanced accuracy", "balanced_accuracy")]
    lines += [row("macro F1", "macro_f1"), row("calibration error", "ece")]
    lines += [row(f"recall {name}", "recall", name) for name in LABELS]
    if found.without_duplicates is not None:
        lines += ["", "no copies: without faces that stand byte for byte in the training split;"]
        lines += ["nor near: also without those that stand there nearly identical"]
    if found.labels == "votes":
        lines += ["truth: what most of ten people saw, where that is one of the seven;"]
        lines += ["fer2013: against FER-2013's own labels, all faces"]
    elif found.people is not None:
        lines += ["people: against what most of ten people saw, where that is one of the seven"]
    return "\n".join(lines)


def write(folder: Path, document: dict[str, object], found: Evaluation, log: Path) -> list[Path]:
    """Write metrics.json, confusion.png and reliability.png, and curves.png where `log` exists.

    Returns the files. Raises UserError where the folder cannot be written.
    """
    from mien_train.evaluation import plots  # matplotlib takes a second

    values = found.all
    by = "people" if found.labels == "votes" else "FER-2013"
    title = (
        f"{found.split} by {by}: accuracy {values['accuracy']:.1%}, "
        f"balanced {values['balanced_accuracy']:.1%}"
    )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        files = [folder / "metrics.json", folder / "confusion.png", folder / "reliability.png"]
        write_file(files[0], (json.dumps(document, indent=1) + "\n").encode())
        plots.confusion(files[1], values["confusion"], title)  # type: ignore[arg-type]
        title = f"{found.split} by {by}: expected calibration error {values['ece']:.3f}"
        plots.reliability(files[2], found.reliability, title)
        if log.exists():
            files.append(folder / "curves.png")
            plots.curves(files[3], log)
    except OSError as error:
        raise UserError(
            f"cannot write into {folder}: {error.strerror}; choose another folder with --out."
        ) from error
    return files
