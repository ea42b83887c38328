"""Arguments and options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

DataArgument = Annotated[
    Path,
    typer.Argument(metavar="DATA", help="FER-2013: the Kaggle zip, its folder or fer2013.csv."),
]
VotesOption = Annotated[
    Path | None,
    typer.Option(
        "--votes",
        "--ferplus",
        metavar="FILE",
        help="FER+'s fer2013new.csv, or what mien-train votes wrote: the votes of ten people.",
    ),
]
LabelsOption = Annotated[
    str,
    typer.Option(
        metavar="fer2013|votes", help="The truth: FER-2013's labels, or people's votes (--votes)."
    ),
]
