"""Arguments and faces of the measuring commands."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import numpy as np
import numpy.typing as npt
import typer
from mien.errors import UserError
from mien_train.data.fer2013 import load
from mien_train.data.ferplus import counts, majority

from mien_convert.evaluation.robustness import Truths

ModelArgument = Annotated[
    str, typer.Argument(metavar="MODEL", help="A .tflite of mien-convert, or a shipped name.")
]
OutOption = Annotated[Path, typer.Option("--out", "-o", metavar="FILE", help="The model file.")]
TermsOption = Annotated[
    str, typer.Option(metavar="TEXT", help="Terms of the data, for card and metadata.")
]
UNKNOWN_TERMS = "their terms were not stated to the converter (--terms)."
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
