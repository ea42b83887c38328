"""Accuracy gate: compares int8 with float on the same faces and refuses what lost too much."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import typer
from mien.classification.prediction import softmax
from mien.console import table
from scipy.stats import binomtest

Logits = npt.NDArray[np.float32]  # [n, K]
Labels = npt.NDArray[np.int64]  # [n]

SIGNIFICANCE = 0.05
REFUSED = 3  # exit status of a refusal


@dataclass(frozen=True)
class ClassRecallLoss:
    """Recall that one class lost from float to int8."""

    label: str
    count: int  # faces of the class
    points: float  # recall lost, in percentage points; negative where int8 is better
    p: float  # of McNemar's exact test, two-sided


def refusal(reason: str, out: Path) -> typer.Exit:
    """Print why a model is refused; return the exit with status 3. An older output file stays."""
    older = f" The older {out} was left as it was." if out.exists() else ""
    print(f"mien-convert: refused: {reason}. Nothing was written.{older}", file=sys.stderr)
    return typer.Exit(REFUSED)


def agreement(ours: Logits, theirs: Logits) -> float:
    """Return the share of faces with the same prediction."""
    return float((ours.argmax(axis=1) == theirs.argmax(axis=1)).mean())


def mean_kl(reference: Logits, other: Logits) -> float:
    """Return the mean Kullback-Leibler divergence KL(reference || other) in nats, softmax at 1."""
    p = softmax(reference)
    log_p, log_q = _log_softmax(reference), _log_softmax(other)
    return float((p * (log_p - log_q)).sum(axis=1).mean())


def _log_softmax(logits: Logits) -> npt.NDArray[np.float64]:
    shifted = logits.astype(np.float64) - logits.max(axis=1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True)))


def mcnemar(first_right: npt.NDArray[np.bool_], second_right: npt.NDArray[np.bool_]) -> float:
    """Return the two-sided p of McNemar's exact test on paired right or wrong answers, bool [n].

    The faces that only one of the two reads rightly would fall to either with probability a half
    if both were equally good (McNemar, Psychometrika 1947, with the binomial for chi-squared).
    """
    only_first = int((first_right & ~second_right).sum())
    only_second = int((second_right & ~first_right).sum())
    if only_first + only_second == 0:
        return 1.0
    return float(binomtest(only_first, only_first + only_second, 0.5).pvalue)


def class_losses(
    labels: Labels, reference: Logits, int8: Logits, names: tuple[str, ...]
) -> list[ClassRecallLoss]:
    """Return the recall lost from `reference` to `int8`, by class that occurs."""
    float_right = reference.argmax(axis=1) == labels
    int8_right = int8.argmax(axis=1) == labels
    losses = []
    for index, name in enumerate(names):
        mine = labels == index
        if not mine.any():
            continue
        before, after = float_right[mine], int8_right[mine]
        points = 100 * float(before.mean() - after.mean())
        losses.append(ClassRecallLoss(name, int(mine.sum()), points, mcnemar(before, after)))
    return losses


def comparison(labels: Labels, reference: Logits, int8: Logits, names: tuple[str, ...]) -> str:
    """Return float and int8 side by side as a table; the last column is the difference, in points.

    A recall's `p` is that of McNemar's exact test and stands where it is under 0.05.
    """
    right = [logits.argmax(axis=1) == labels for logits in (reference, int8)]
    rows = [["", "float", "int8", "int8 - float"]]

    def add(title: str, which: npt.NDArray[np.bool_], note: str = "") -> None:
        before, after = (100 * float(correct[which].mean()) for correct in right)
        rows.append([title, f"{before:.1f} %", f"{after:.1f} %", f"{after - before:+.1f}{note}"])

    add("accuracy", labels >= 0)
    for loss in class_losses(labels, reference, int8, names):
        note = f" (p {loss.p:.2g})" if loss.p < SIGNIFICANCE else ""
        add(f"  {loss.label} ({loss.count})", labels == names.index(loss.label), note)
    rows.append(["agreement", "", f"{100 * agreement(reference, int8):.1f} %", ""])
    rows.append(["mean KL, nats", "", f"{mean_kl(reference, int8):.4f}", ""])
    return table(rows, right=(1, 2, 3))


def gate_failures(
    labels: Labels,
    reference: Logits,
    int8: Logits,
    names: tuple[str, ...],
    max_drop: float,
    max_recall_drop: float,
) -> list[str]:
    """Return why the int8 model must not be shipped, a clause each; empty where it may be.

    `max_drop` and `max_recall_drop` are percentage points. A class's recall counts only where
    McNemar's exact test calls its loss no accident: a rare class loses points by one face.
    """
    slack = 1e-9  # a loss of exactly the limit is allowed, whatever the division makes of it
    losses = class_losses(labels, reference, int8, names)
    reasons = []
    before = 100 * float((reference.argmax(axis=1) == labels).mean())
    after = 100 * float((int8.argmax(axis=1) == labels).mean())
    if before - after > max_drop + slack:
        worst = sorted(losses, key=lambda loss: -loss.points)
        lost = ", ".join(f"{loss.label} {loss.points:.1f}" for loss in worst if loss.points > 0)
        reasons.append(
            f"accuracy fell by {before - after:.1f} points (from {before:.1f} to {after:.1f} %), "
            f"{max_drop:g} are allowed; points of recall lost by class: {lost}"
        )
    reasons += [
        f"{loss.label} lost {loss.points:.1f} points of recall on {loss.count} faces "
        f"(p = {loss.p:.2g}), {max_recall_drop:g} are allowed"
        for loss in losses
        if loss.points > max_recall_drop + slack and loss.p < SIGNIFICANCE
    ]
    return reasons
