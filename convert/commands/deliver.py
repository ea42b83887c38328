"""The end of making a network that finds faces: its card shown, then written or refused."""

from __future__ import annotations

from pathlib import Path

import typer

from convert.compare import REFUSED
from train.files import write


def deliver(out: Path, network: bytes, card: str, refusal: str | None) -> None:
    """Print the card and write network and card; with a `refusal`, a sentence, write neither.

    Raises typer.Exit with the status of a refusal.
    """
    typer.echo(card)
    if refusal is not None:
        typer.echo(f"mien-convert: {refusal}", err=True)
        raise typer.Exit(REFUSED)
    write(out, network, "--out")
    write(out.with_suffix(".md"), card.encode(), "--out")
    typer.echo(f"wrote {out} and {out.with_suffix('.md')}")
