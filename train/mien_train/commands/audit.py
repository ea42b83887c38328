"""`mien-train audit`: counts, bad files, duplicates and altered pixels of FER-2013.

mien-train audit fer2013.zip --out out/audit
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from mien_train.commands.arguments import DataArgument, VotesOption


def audit(
    data: DataArgument,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON document with every group's members.")
    ] = False,
    out: Annotated[Path, typer.Option(help="Folder for the contact sheets.")] = Path("out/audit"),
    votes: VotesOption = None,
) -> None:
    """Count classes and find bad files, copies, conflicting labels and altered pixels."""
    # Here and not above: `mien-train --help` is to answer at once.
    from mien_train.data import audit as audits
    from mien_train.data import contact_sheets as sheets
    from mien_train.data import ferplus as joined
    from mien_train.data.fer2013 import load

    dataset = load(data)
    voted = None if votes is None else joined.counts(votes, dataset)
    found = audits.audit(dataset)
    files = {"samples": out / "samples.png", "conflicts": out / "conflicts.png"}
    sheets.save(files["samples"], sheets.samples(dataset))
    sheets.save(files["conflicts"], sheets.conflicts(found))
    if voted is not None:
        files["votes"] = out / "votes.png"
        sheets.save(files["votes"], sheets.disagreements(dataset, voted))
    if as_json:
        document = {"data": str(data), **audits.to_json(found)}
        if voted is not None:
            document["votes"] = joined.agreement(dataset.labels, voted)
        document["sheets"] = {name: str(file) for name, file in files.items()}
        typer.echo(json.dumps(document, indent=1))
        return
    typer.echo(audits.to_text(found))
    if voted is not None:
        typer.echo("\n" + joined.agreement_text(dataset.labels, voted))
    typer.echo("\nlook at " + ", ".join(str(file) for file in files.values()))
