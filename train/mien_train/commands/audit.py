"""`mien-train audit`: counts, bad files and duplicates of FER-2013.

mien-train audit fer2013.zip
"""

from __future__ import annotations

import json
from typing import Annotated

import typer

from mien_train.commands.arguments import DataArgument, VotesOption


def audit(
    data: DataArgument,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON document with every group's members.")
    ] = False,
    votes: VotesOption = None,
) -> None:
    """Count classes and find bad files, copies and conflicting labels."""
    # Here and not above: `mien-train --help` is to answer at once.
    from mien_train.data import audit as audits
    from mien_train.data import ferplus as joined
    from mien_train.data.fer2013 import load

    dataset = load(data)
    voted = None if votes is None else joined.counts(votes, dataset)
    found = audits.audit(dataset)
    if as_json:
        document = {"data": str(data), **found}
        if voted is not None:
            document["votes"] = joined.agreement(dataset.labels, voted)
        typer.echo(json.dumps(document, indent=1))
        return
    typer.echo(audits.to_text(found))
    if voted is not None:
        typer.echo("\n" + joined.agreement_text(dataset.labels, voted))
