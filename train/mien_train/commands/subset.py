"""`mien-train subset`: choose training images and write them down as a manifest.

mien-train subset fer2013.zip --seed 7 --out subset.csv
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mien_train.commands.arguments import DataArgument, LabelsOption, VotesOption


def subset(
    data: DataArgument,
    out: Annotated[
        Path, typer.Option(help="Manifest to write: path, label, SHA-256 of the pixels.")
    ],
    seed: Annotated[int, typer.Option(help="Seed of the draw.")] = 7,
    per_class: Annotated[
        int | None,
        typer.Option(min=1, help="Images per class (default: the size of the smallest class)."),
    ] = None,
    labels: LabelsOption = "fer2013",
    votes: VotesOption = None,
) -> None:
    """Draw a balanced subset: distinct training images without conflicting labels, none of a test
    split.

    With --labels votes the classes are those that most people saw; the manifest, as always, states
    FER-2013's labels, by which the images are known again.
    """
    import numpy as np

    from mien_train.data import ferplus as joined
    from mien_train.data import subset as subsets
    from mien_train.data.fer2013 import load
    from mien_train.data.labels import LABELS

    joined.require_votes(labels, votes)
    dataset = load(data)
    classed = dataset
    if labels == "votes" and votes is not None:
        classed = subsets.by_votes(dataset, joined.counts(votes, dataset))
    chosen = subsets.balanced(classed, seed, per_class)
    counts = np.bincount(classed.labels[chosen], minlength=len(LABELS))
    by = ", classes by people's votes" if labels == "votes" else ""
    note = f"balanced subset, honest: {len(chosen)} images, seed {seed}{by}"
    digest = subsets.write_manifest(out, dataset, chosen, note)
    typer.echo(
        f"{len(chosen)} images, "
        + ", ".join(f"{name} {count}" for name, count in zip(LABELS, counts, strict=True))
    )
    for name, count in subsets.shortfalls(classed, chosen, per_class).items():
        typer.echo(f"{name} has only {count} such images, not {per_class}: all are in", err=True)
    typer.echo(f"{out}  sha256 {digest}")
