"""`mien-train average`: one network out of several that were trained on from the same one.

mien-train average runs/a/model.keras runs/b/model.keras fer2013.zip --run runs/both
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mien_train.commands.arguments import DataArgument, VotesOption


def average(
    models: Annotated[list[Path], typer.Argument(metavar="MODEL...", help="model.keras files.")],
    data: DataArgument,
    run: Annotated[Path, typer.Option(help="Folder for model.keras and run.json.")],
    share: Annotated[
        list[float] | None,
        typer.Option(min=0.0, help="Share of each model, in order (default: equal)."),
    ] = None,
    logit_adjust: Annotated[
        float,
        typer.Option(
            metavar="TAU",
            min=0.0,
            help="Subtract so many times the log prior of the training labels from the logits: "
            "fairer to rare classes.",
        ),
    ] = 0.0,
    votes: VotesOption = None,
) -> None:
    """Average the weights; BatchNorm's statistics are taken anew from training faces.

    With --votes the prior of --logit-adjust is that of people's votes.
    """
    from mien_train.backend import start_backend
    from mien_train.commands.command_line import command_line
    from mien_train.data.fer2013 import load
    from mien_train.data.ferplus import counts

    dataset = load(data)  # before Keras, so that a wrong path fails at once
    voted = None if votes is None else counts(votes, dataset)
    start_backend()
    from mien_train.classifier.derived import averaged

    shares = share or [1.0] * len(models)
    averaged(run, models, shares, dataset, command_line(), logit_adjust, voted)
    typer.echo(f"wrote {run / 'model.keras'} and {run / 'run.json'}")
