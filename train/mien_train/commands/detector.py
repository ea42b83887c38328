"""`mien-train detector`: train the face detector on photographs.

mien-train detector faces.zip --run runs/detector
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from mien_train.commands.command_line import command_line, resumable
from mien_train.detector.recipe import DetectorRecipe

RECIPE = DetectorRecipe()


def detector(
    data: Annotated[
        Path, typer.Argument(help="faces.zip, its folder, or the folder of WIDER FACE.")
    ],
    run: Annotated[Path, typer.Option(help="Folder for the model, the log and the checkpoints.")],
    resume: Annotated[
        bool, typer.Option("--resume", help="Continue after the last complete epoch.")
    ] = False,
    epochs: Annotated[
        int, typer.Option(min=1, help="Number of epochs; more of them extend a run with --resume.")
    ] = RECIPE.epochs,
    steps: Annotated[int, typer.Option(min=1, help="Batches an epoch.")] = RECIPE.steps,
    batch: Annotated[int, typer.Option(min=2, help="Views a batch.")] = RECIPE.batch,
    rate: Annotated[float, typer.Option(min=0.0, help="Peak learning rate.")] = RECIPE.rate,
    width: Annotated[
        int, typer.Option(min=64, help="Width of the training views, a multiple of 16 px.")
    ] = RECIPE.width,
    height: Annotated[
        int, typer.Option(min=64, help="Height of the training views, a multiple of 16 px.")
    ] = RECIPE.height,
    seed: Annotated[int, typer.Option(help="Seed of the weights and the views.")] = RECIPE.seed,
    teacher: Annotated[
        str | None,
        typer.Option(
            help="Detector that makes faces of unsure labels, e.g. yunet:FILE.",
            metavar="NAME[:FILE]",
        ),
    ] = None,
) -> None:
    """Train the face detector; the averaged weights are written to RUN/model.keras.

    WIDER FACE is read as it is downloaded: WIDER_train.zip, WIDER_val.zip and
    wider_face_split.zip in one folder.
    """
    from mien.detection import open_detector
    from mien.errors import UserError
    from tqdm import tqdm

    from mien_train.backend import start_backend
    from mien_train.detector.dataset import load
    from mien_train.detector.teacher import confirm

    if width % 16 or height % 16:
        raise UserError(f"--width and --height must be multiples of 16, got {width} and {height}.")
    recipe = DetectorRecipe(
        height=height, width=width, epochs=epochs, steps=steps, batch=batch, rate=rate, seed=seed
    )
    stronger = None if teacher is None else open_detector(teacher)
    photographs = load(data, lambda items: tqdm(items, desc="reading", disable=None))
    if stronger is not None:
        train = confirm(
            photographs.train,
            stronger,
            lambda items: tqdm(items, desc="confirming labels", disable=None),
        )
        photographs = replace(photographs, train=train)
    start_backend()
    from mien_train.detector.run import run_training

    command = command_line()
    with resumable(command):
        row = run_training(run, data, photographs, recipe, resume, command, teacher)
    typer.echo(
        f"validation: average precision {row['ap']:.1%}, recall {row['recall']:.1%} at 0.03 false "
        "boxes a picture"
    )
    typer.echo(f"wrote {run / 'model.keras'}, {run / 'log.csv'} and {run / 'run.json'}")
