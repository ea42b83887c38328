"""`mien-train votes`: join FER+'s votes with a copy of FER-2013.

mien-train votes --ferplus fer2013new.csv fer2013.zip --out votes.csv
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mien_train.commands.arguments import DataArgument


def votes(
    data: DataArgument,
    ferplus: Annotated[
        Path,
        typer.Option(
            "--ferplus", "--votes", help="fer2013new.csv from https://github.com/microsoft/FERPlus."
        ),
    ],
    out: Annotated[Path, typer.Option(help="CSV to write: votes by file name.")],
) -> None:
    """Write the votes by file name, and print how far FER-2013's labels agree with them."""
    from mien.atomic import write_file

    from mien_train.data import ferplus as joined
    from mien_train.data.fer2013 import load

    dataset = load(data)
    found = joined.counts(ferplus, dataset)
    write_file(out, joined.to_csv(dataset, found).encode())
    typer.echo(joined.agreement_text(dataset.labels, found))
    typer.echo(f"{out}  votes for {int(found.any(axis=1).sum()):,} of {len(dataset):,} images")
