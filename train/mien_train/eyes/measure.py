"""What a network of eyes or mouths is worth: ROC area and detection rate, by source."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from mien.console import table
from sklearn.metrics import roc_auc_score

from mien_train.eyes.patches import Patches

FALSE_RATE = 0.01  # of the negatives, at which the detection rate is measured


@dataclass(frozen=True)
class Measured:
    """One group of patches."""

    group: str
    count: int
    positive: int  # closed eyes, or yawning mouths
    auc: float
    found: float  # share of the positives where FALSE_RATE of the negatives are called so
    accuracy: float  # at a probability of a half


def joint(logits: npt.NDArray[np.float32], part: str) -> npt.NDArray[np.float32]:
    """Return what the device decides by, float32 [n], of logits float32 [n, 2].

    Of an eye the logit that it is open; of a mouth the logit that it yawns and can be seen.
    """
    if part == "eyes":
        return logits[:, 0]
    log_p = -np.logaddexp(0, -logits.astype(np.float64)).sum(axis=1)
    return np.asarray(log_p - np.log(-np.expm1(np.minimum(log_p, -1e-9))), np.float32)


def measure(patches: Patches, logit: npt.NDArray[np.float32], part: str) -> list[Measured]:
    """Return the measures of all sources together and of each; of glasses apart.

    Args:
        patches: with their truth; a state between 0 and 1 is cut at a half.
        logit: of `joint`, float32 [n].
        part: "eyes", where state 0 (closed) is to be found, or "mouth", where 1 (a yawn) is.
    """
    closed = part == "eyes"
    everything = np.ones(len(patches), bool)
    groups = [("all", everything)]
    groups += [(name, patches.source == name) for name in np.unique(patches.source)]
    if patches.glasses.any():
        groups += [("glasses", patches.glasses)]
    sign = -1 if closed else 1
    rows = []
    for name, mine in groups:
        positive = (patches.state[mine] >= 0.5) != closed
        score = sign * logit[mine]
        if positive.all() or not positive.any():
            continue
        rows.append(
            Measured(
                name,
                int(mine.sum()),
                int(positive.sum()),
                float(roc_auc_score(positive, score)),
                found_at(positive, score),
                float(((score > 0) == positive).mean()),
            )
        )
    return rows


def found_at(
    positive: npt.NDArray[np.bool_], score: npt.NDArray[np.float32], rate: float = FALSE_RATE
) -> float:
    """Return the share of the positives above the level that `rate` of the negatives exceed."""
    negatives = np.sort(score[~positive])[::-1]
    level = negatives[min(len(negatives) - 1, int(rate * len(negatives)))]
    return float((score[positive] > level).mean())


def to_text(rows: list[Measured]) -> str:
    """Return the measures as a table."""
    head = ["source", "patches", "positive", "AUC", f"found at {FALSE_RATE:.0%} false", "accuracy"]
    body = [
        [
            row.group,
            str(row.count),
            str(row.positive),
            f"{row.auc:.4f}",
            f"{row.found:.1%}",
            f"{row.accuracy:.1%}",
        ]
        for row in rows
    ]
    return table([head, *body], right=range(1, 6))
