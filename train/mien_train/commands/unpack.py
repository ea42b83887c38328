"""`mien-train unpack`: a model file as a run that training can go on from.

mien-train unpack mien.tflite fer2013.zip --run runs/mien
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mien_train.commands.arguments import DataArgument


def unpack(
    model: Annotated[Path, typer.Argument(help="A model file (.tflite) of mien-convert.")],
    data: DataArgument,
    run: Annotated[Path, typer.Option(help="Folder for model.keras and run.json.")],
) -> None:
    """Make a model.keras of an int8 model file, for fit's --weights and --teacher.

    Its predictions are the file's; BatchNorm's statistics come from training faces.
    """
    from mien_train.backend import start_backend
    from mien_train.commands.command_line import command_line
    from mien_train.data.fer2013 import load

    dataset = load(data)  # before Keras, so that a wrong path fails at once
    start_backend()
    from mien_train.classifier.derived import unpacked

    unpacked(run, model, dataset, command_line())
    typer.echo(f"wrote {run / 'model.keras'} and {run / 'run.json'}")
