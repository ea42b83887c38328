"""`mien-convert card`: the model card inside a model file.

mien-convert card runs/mine/mine.tflite > mine.md
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mien_convert.metadata import read_card


def card(
    model: Annotated[Path, typer.Argument(metavar="MODEL", help="A .tflite of mien-convert.")],
) -> None:
    """Print the model card (Markdown): data, figures, limits, licences, who must not use it."""
    typer.echo(read_card(model), nl=False)
