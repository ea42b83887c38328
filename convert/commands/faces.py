"""The labelled faces that `mien-convert scenes` and `robustness` measure on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from convert.end_to_end import Truths
from edge.errors import UserError
from train.dataset import load
from train.votes import counts, majority

SPLITS = {"validation": "PublicTest", "test": "PrivateTest", "train": "Training"}


def chosen_faces(
    data: Path, votes: Path | None, split: str, limit: int, seed: int
) -> tuple[npt.NDArray[np.uint8], Truths]:
    """Return at most `limit` faces of a split, drawn by `seed`, and what they are by each truth.

    Faces are uint8 [n, 48, 48]; truths int64 [n], -1 where people did not agree. Raises UserError.
    """
    if split not in SPLITS:
        raise UserError(f"there is no split {split}; --split takes {', '.join(SPLITS)}.")
    dataset = load(data)
    indices = np.flatnonzero(dataset.splits == split)
    if not len(indices):
        raise UserError(f"{data} has no pictures {SPLITS[split]}_*; choose another --split.")
    drawn = np.sort(np.random.default_rng(seed).permutation(indices)[:limit])
    truths: Truths = {"benchmark": dataset.labels[drawn]}
    if votes is not None:
        truths["people"] = np.asarray(majority(counts(votes, dataset))[drawn], np.int64)
    return dataset.images[drawn], truths


def save_json(path: Path, document: dict[str, Any]) -> None:
    """Write a document beside its place and rename it; raises UserError."""
    beside = path.with_name(path.name + ".part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        beside.write_text(json.dumps(document, indent=1, allow_nan=False) + "\n", "utf-8")
        beside.replace(path)
    except OSError as error:
        raise UserError(
            f"{path} cannot be written ({error.strerror}); choose another place with --out."
        ) from error
