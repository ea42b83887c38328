"""Data of the report page: a run's record and log, measures of its network, its data's audit.

With the data the run's network predicts the validation faces; without it the page shows what
`mien-train evaluate` left in the run.
"""

from __future__ import annotations

import csv
import json
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from mien.classification.prediction import softmax
from mien.errors import UserError
from mien.evaluation.metrics import Reliability, reliability, score
from numpy.typing import NDArray

from mien_train.data import audit as audits
from mien_train.data.fer2013 import Dataset
from mien_train.data.ferplus import agreement, majority
from mien_train.data.labels import LABELS
from mien_train.evaluation.calibration import fit_temperature, risk_coverage, threshold_at
from mien_train.json_file import read_json

COVERAGE = 0.9  # share of the faces that are not called "uncertain"
CURVE = tuple(round(1 - 0.025 * k, 3) for k in range(37))  # coverages from 1 to a tenth
MISTAKES = 32  # pictures of confident mistakes


@dataclass(frozen=True)
class Mistake:
    """A face with a confident wrong prediction."""

    image: NDArray[np.uint8]  # [48, 48]
    name: str
    truth: int  # index into LABELS
    predicted: int
    confidence: float


@dataclass(frozen=True)
class Measured:
    """Measures of the network on the validation faces."""

    truth: str  # "people" or "benchmark": what the confidence is fitted to
    scores: dict[
        str, dict[str, Any]
    ]  # of "benchmark" and "people", see mien.evaluation.metrics.score
    temperature: float
    threshold: float  # confidence under which it is "uncertain"
    before: Reliability  # at temperature 1
    after: Reliability  # at the fitted one
    curve: list[dict[str, float]]  # see mien_train.evaluation.calibration.risk_coverage
    worst: list[Mistake]


@dataclass(frozen=True)
class Audited:
    """The audit of the data, in short."""

    counts: dict[str, dict[str, int]]
    lines: list[str]
    agreement: dict[str, dict[str, object]] | None  # of people with FER-2013's labels


@dataclass(frozen=True)
class Report:
    """Content of the page; what is not known is empty."""

    name: str
    record: dict[str, Any]  # run.json
    log: list[dict[str, str]]  # rows of log.csv
    measured: Measured | None
    evaluation: dict[str, Any]  # metrics.json of mien-train evaluate
    packed: dict[str, dict[str, Any]]  # metadata of the model files in the run, by file name
    robustness: dict[str, Any]
    end_to_end: dict[str, Any]
    audit: Audited | None


def gather(
    run: Path,
    dataset: Dataset | None,
    votes: NDArray[np.float32] | None,
    logits: Callable[[NDArray[np.uint8]], NDArray[np.float32]] | None,
    audited: bool = True,
) -> Report:
    """Read a run's files and, with the data and the network's `logits`, measure.

    Args:
        votes: float32 [n, 10] of the data set, see mien_train.data.ferplus.counts.
        logits: uint8 [n, 48, 48] to float32 [n, 7].
        audited: whether to audit the data; takes most of a minute for the whole of FER-2013.

    Raises:
        UserError: there is no run, or a file in it is damaged.
    """
    if not (run / "run.json").is_file():
        raise UserError(f"{run} is not a run: give the folder that mien-train fit wrote.")
    measured = None
    record = read_json(run / "run.json")
    if dataset is not None and logits is not None:
        measured = measure(dataset, votes, logits, str(record.get("labels", "fer2013")))
    return Report(
        name=run.resolve().name,
        record=record,
        log=_log(run / "log.csv"),
        measured=measured,
        evaluation=read_json(run / "evaluation-validation" / "metrics.json", {}),
        packed=_packed(run),
        robustness=read_json(run / "robustness.json", {}),
        end_to_end=read_json(run / "end_to_end.json", {}),
        audit=None if dataset is None or not audited else audit(dataset, votes),
    )


def measure(
    dataset: Dataset,
    votes: NDArray[np.float32] | None,
    logits: Callable[[NDArray[np.uint8]], NDArray[np.float32]],
    labels: str,
) -> Measured:
    """Measure the network on the validation faces.

    The confidence is fitted to people's majority if the network was trained on votes (`labels`) and
    these are given.
    """
    part = np.flatnonzero(dataset.splits == "validation")
    if not len(part):
        raise UserError("the data has no PublicTest images to report on: give all of FER-2013.")
    found = logits(dataset.images[part])
    truths = {"benchmark": dataset.labels[part]}
    if votes is not None:
        truths["people"] = majority(votes[part])
    truth = "people" if labels == "votes" and votes is not None else "benchmark"
    known = truths[truth] >= 0
    if not known.any():
        raise UserError("people agree about no validation face: check that the votes fit.")
    answers = truths[truth][known]
    temperature = fit_temperature(found[known], answers)
    probabilities = softmax(found, temperature)
    wrong = np.flatnonzero(known & (probabilities.argmax(axis=1) != truths[truth]))
    surest = wrong[np.argsort(-probabilities[wrong].max(axis=1), kind="stable")][:MISTAKES]
    return Measured(
        truth=truth,
        scores={
            name: score(by[by >= 0], probabilities[by >= 0], LABELS)
            for name, by in truths.items()
            if (by >= 0).any()
        },
        temperature=temperature,
        threshold=threshold_at(probabilities[known], COVERAGE),
        before=reliability(answers, softmax(found[known])),
        after=reliability(answers, probabilities[known]),
        curve=risk_coverage(probabilities[known], answers, CURVE),
        worst=[
            Mistake(
                dataset.images[part[i]],
                dataset.names[part[i]],
                int(truths[truth][i]),
                int(probabilities[i].argmax()),
                float(probabilities[i].max()),
            )
            for i in surest
        ],
    )


def audit(dataset: Dataset, votes: NDArray[np.float32] | None) -> Audited:
    """Audit the data in the few lines that a reader of a report wants."""
    found = audits.audit(dataset)
    lines = []
    for kind, groups in (("byte for byte", found.identical), ("nearly", found.near)):
        lines.append(
            f"{groups.files:,} pictures are copies of others {kind}, in {len(groups.members):,} "
            f"groups; {len(groups.across):,} groups stand in several splits, "
            f"{len(groups.conflicts):,} bear two labels."
        )
    lines += [
        f"{twins:,} pictures of the {split} split stand in training byte for byte."
        for split, twins in found.identical.twins.items()
    ]
    if dataset.problems:
        lines.append(f"{len(dataset.problems)} files could not be read and were left out.")
    lines += [f"Warning: {sentence}." for sentence in audits.warnings(found)]
    seen = None if votes is None else agreement(dataset.labels, votes)
    return Audited(audits.counts(dataset), lines, seen)


def _log(path: Path) -> list[dict[str, str]]:
    try:
        with path.open(encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))
    except FileNotFoundError:
        return []
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{path} is not a log of mien-train fit; remove it.") from error


def _packed(run: Path) -> dict[str, dict[str, Any]]:
    """Metadata of the model files in the run."""
    found = {}
    for file in sorted(run.glob("*.tflite")):
        try:
            with zipfile.ZipFile(file) as archive:
                found[file.name] = json.loads(archive.read("metadata.json"))
        except (OSError, ValueError, KeyError, zipfile.BadZipFile):
            continue  # another program's file
    return found
