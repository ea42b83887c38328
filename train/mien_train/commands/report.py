"""`mien-train report`: one page about a run that opens without a network.

mien-train report runs/balanced --data fer2013.zip --votes fer2013new.csv
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from mien.errors import UserError

from mien_train.commands.arguments import VotesOption


def report(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Folder of a run.")],
    data: Annotated[
        Path | None,
        typer.Option(help="FER-2013, to measure the network now."),
    ] = None,
    votes: VotesOption = None,
    out: Annotated[
        Path | None, typer.Option(help="Page to write (default: RUN/report.html).")
    ] = None,
    audit: Annotated[bool, typer.Option(help="Audit the data (most of a minute).")] = True,
) -> None:
    """Write curves, confusions, calibration, robustness, mistakes and origin as one HTML page.

    robustness.json and end_to_end.json of mien-convert are shown where they stand in RUN, and so
    are the figures of model files (.tflite) there.
    """
    from mien.atomic import write_file

    from mien_train.data import ferplus as joined
    from mien_train.data.fer2013 import load

    if votes is not None and data is None:
        raise UserError("--votes needs --data: the votes are of its pictures.")
    dataset = None if data is None else load(data)
    voted = None if dataset is None or votes is None else joined.counts(votes, dataset)
    logits = None
    if dataset is not None:
        from mien_train.backend import start_backend

        start_backend()
        from mien_train.classifier import predict

        network = predict.load_model(run / "model.keras")
        logits = lambda images: predict.logits(network, images)  # noqa: E731
    from mien_train.evaluation.html import page
    from mien_train.evaluation.report import gather

    place = out or run / "report.html"
    write_file(place, page(gather(run, dataset, voted, logits, audit)).encode())
    typer.echo(f"wrote {place}")
