"""Measures of a classifier against several truths: labels, people's votes, agreed faces."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from mien.evaluation.ferplus import (
    Labels,
    Votes,
    agreed,
    majority,
    microsoft_majority,
    voters_agreeing,
)
from mien.evaluation.metrics import score

MIN_VOTERS, VOTERS = 6, 10  # accuracy is given by how many of ten voters agree


def truths(votes: Votes | None, fer2013: Labels, labels: Sequence[str]) -> dict[str, Labels]:
    """Return "benchmark" (the labels) and, with votes, "people" and "agreed": int64 [n], -1 none.

    "people" is the majority of the votes, ties out; "agreed" are faces whose label it is as well.
    """
    found = {"benchmark": fer2013}
    if votes is not None:
        found |= {"people": majority(votes, labels), "agreed": agreed(votes, fer2013, labels)}
    return found


def score_where(
    truth: Labels,
    probabilities: npt.NDArray[np.floating],
    labels: Sequence[str],
    threshold: float | None = None,
) -> dict[str, Any] | None:
    """Return `score` of the faces with a truth (not -1), None where there is none.

    With `threshold`, the confidence of "uncertain": "uncertain", the share below it, and
    "accuracy_of_certain", the accuracy of the others.
    """
    known = truth >= 0
    if not known.any():
        return None
    found = score(truth[known], probabilities[known], labels)
    if threshold is not None:
        certain = probabilities[known].max(axis=1) >= threshold
        correct = probabilities[known].argmax(axis=1) == truth[known]
        found["uncertain"] = float(1 - certain.mean())
        found["accuracy_of_certain"] = float(correct[certain].mean()) if certain.any() else None
    return found


def vote_measures(
    votes: Votes, probabilities: npt.NDArray[np.floating], labels: Sequence[str]
) -> dict[str, Any]:
    """Return accuracy by FER+'s own rule and by the number of voters who agree.

    "ferplus_rule": {"n", "accuracy"} of `ferplus.microsoft_majority`, contempt counted wrong.
    "by_voters": {"6": {"n", "accuracy"}, ..., "10": ...} on people's majority.
    """
    predicted = probabilities.argmax(axis=1)
    truth, people = microsoft_majority(votes, labels), majority(votes, labels)
    voters = voters_agreeing(votes)

    def accuracy(by: Labels, where: npt.NDArray[np.bool_]) -> dict[str, Any]:
        n = int(where.sum())
        return {"n": n, "accuracy": float((predicted == by)[where].mean()) if n else None}

    return {
        "ferplus_rule": accuracy(truth, truth >= 0),
        "by_voters": {
            str(count): accuracy(people, (people >= 0) & (voters == count))
            for count in range(MIN_VOTERS, VOTERS + 1)
        },
    }
