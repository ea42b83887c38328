"""`mien-train subset`: choose training images and write them down as a manifest.

mien-train subset fer2013.zip --seed 7 --out subset.csv
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def subset(
    data: Annotated[
        Path, typer.Argument(help="FER-2013: the Kaggle zip, its folder or fer2013.csv.")
    ],
    out: Annotated[Path, typer.Option(help="The manifest: path, label, sha256 of the pixels.")],
    seed: Annotated[int, typer.Option(help="The same seed chooses the same images.")] = 7,
    per_class: Annotated[
        int | None,
        typer.Option(min=1, help="Images per class; without it as many as the smallest class has."),
    ] = None,
    as_published: Annotated[
        bool,
        typer.Option(
            "--as-published", help="The tutorial's 436 per class, copies and test images included."
        ),
    ] = False,
    export: Annotated[
        Path | None, typer.Option(help="Write the images as class folders too (PNG).")
    ] = None,
) -> None:
    """Draw equally many training images of each class: distinct, without conflicting labels, none
    that also stands in a test split."""
    import numpy as np

    from train import subset as subsets
    from train.dataset import load
    from train.labels import LABELS

    dataset = load(data)
    draw = subsets.as_published if as_published else subsets.balanced
    chosen = draw(dataset, seed, per_class)
    counts = np.bincount(dataset.labels[chosen], minlength=len(LABELS))
    wanted = per_class or (subsets.PUBLISHED_PER_CLASS if as_published else None)
    kind = "as published, copies and test images included" if as_published else "honest"
    note = f"balanced subset, {kind}: {len(chosen)} images, seed {seed}"
    digest = subsets.write_manifest(out, dataset, chosen, note)
    typer.echo(
        f"{len(chosen)} images, "
        + ", ".join(f"{name} {count}" for name, count in zip(LABELS, counts, strict=True))
    )
    for name, count in subsets.shortfalls(dataset, chosen, wanted).items():
        typer.echo(f"{name} has only {count} such images, not {wanted}: all are in", err=True)
    typer.echo(f"{out}  sha256 {digest}")
    if export is not None:
        subsets.export(export, dataset, chosen)
        typer.echo(f"{export}  {len(chosen)} pictures")
