"""`mien-train evaluate`: accuracy of a Keras model.

mien-train evaluate runs/balanced/model.keras fer2013.zip
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from mien_train.commands.arguments import DataArgument, LabelsOption, VotesOption


def evaluate(
    model: Annotated[Path, typer.Argument(help="model.keras, or the folder of a run.")],
    data: DataArgument,
    split: Annotated[
        str, typer.Option(help="Split: validation (PublicTest), test (PrivateTest) or train.")
    ] = "validation",
    out: Annotated[
        Path | None,
        typer.Option(help="Folder for metrics.json and charts; by default in the model's folder."),
    ] = None,
    votes: VotesOption = None,
    labels: LabelsOption = "fer2013",
    as_json: Annotated[bool, typer.Option("--json", help="Print metrics.json.")] = False,
) -> None:
    """Score a model with and without copies of training images, and draw its confusion matrix."""
    from mien_train.backend import start_backend
    from mien_train.data import ferplus as joined
    from mien_train.data.fer2013 import load
    from mien_train.evaluation import evaluate as evaluation

    joined.require_votes(labels, votes)
    file = model / "model.keras" if model.is_dir() else model
    dataset = load(data)  # before TensorFlow, so that a wrong path fails at once
    voted = None if votes is None else joined.counts(votes, dataset)
    start_backend()
    from mien_train.classifier import predict

    network = predict.load_model(file)
    measured, found = evaluation.evaluate(
        lambda images: predict.logits(network, images), dataset, split, voted, labels
    )
    document = {"model": str(file), "data": str(data), **measured}
    folder = out or file.parent / f"evaluation-{split}"
    files = evaluation.write(folder, document, found, file.parent / "log.csv")
    if as_json:
        typer.echo(json.dumps(document, indent=1))
        return
    typer.echo(evaluation.to_text(document))
    typer.echo("\nwrote " + ", ".join(str(path) for path in files))
