"""`mien-train fit`: fine-tune MobileNetV2 on FER-2013.

mien-train fit fer2013.zip --subset balanced --run runs/balanced
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer
from mien.errors import UserError

from mien_train.classifier.recipe import BALANCED, FULL
from mien_train.commands.arguments import DataArgument, LabelsOption, VotesOption
from mien_train.commands.command_line import command_line, resumable


def fit(
    data: DataArgument,
    run: Annotated[Path, typer.Option(help="Folder for the model, the log and the checkpoints.")],
    subset: Annotated[
        str,
        typer.Option(
            help="'balanced' (as many of each class) or 'full'; without copies, conflicting labels "
            "and test images."
        ),
    ] = "balanced",
    labels: LabelsOption = "fer2013",
    votes: VotesOption = None,
    weights: Annotated[
        str,
        typer.Option(
            help="'imagenet' (fetched by Keras), a file of weights, an earlier run's model.keras, "
            "or 'none'."
        ),
    ] = "imagenet",
    teacher: Annotated[
        list[Path] | None,
        typer.Option(help="Teacher model.keras for the last stage; several are averaged."),
    ] = None,
    teacher_weight: Annotated[
        list[float] | None,
        typer.Option(min=0.0, help="Weight of each --teacher, in order (default: equal)."),
    ] = None,
    teach_once: Annotated[
        bool,
        typer.Option(
            "--teach-once",
            help="Ask the teachers once about each face as it is; as fast as without teachers.",
        ),
    ] = False,
    teacher_share: Annotated[
        float | None, typer.Option(min=0.0, max=1.0, help="Share of the teachers in the targets.")
    ] = None,
    unlabelled: Annotated[
        bool,
        typer.Option(
            "--unlabelled",
            help="Also train on images outside the subset, labelled by the teachers.",
        ),
    ] = False,
    resume: Annotated[
        bool, typer.Option("--resume", help="Resume an interrupted run, or extend a finished one.")
    ] = False,
    seed: Annotated[int, typer.Option(help="Seed of subset, order and augmentation.")] = 7,
    epochs: Annotated[
        int | None, typer.Option(min=1, help="Epochs of the last stage (default: the recipe's).")
    ] = None,
    head_epochs: Annotated[
        int | None,
        typer.Option(min=0, help="Epochs of the first stage, which trains the new head alone."),
    ] = None,
    small_epochs: Annotated[
        int | None, typer.Option(min=0, help="Epochs of the second stage, on faces of 32 px.")
    ] = None,
    batch: Annotated[int | None, typer.Option(min=2, help="Images per step.")] = None,
    rate: Annotated[
        float | None, typer.Option(min=0.0, help="Peak learning rate of the second and last stage.")
    ] = None,
    logit_adjust: Annotated[
        float | None,
        typer.Option(
            help="Logit adjustment in the loss, times the log prior; raises rare classes' recall."
        ),
    ] = None,
    augment: Annotated[
        float, typer.Option(min=0.0, help="Strength of augmentation, times the recipe's.")
    ] = 1.0,
    jitter: Annotated[
        float | None,
        typer.Option(min=0.0, help="Strength of zoom and shift alone."),
    ] = None,
    degrade: Annotated[
        float | None,
        typer.Option(
            min=0.0, max=1.0, help="Probability of few pixels, of blur, of darkness and of noise."
        ),
    ] = None,
    alpha: Annotated[float, typer.Option(min=0.1, help="Width of MobileNetV2.")] = 1.0,
    size: Annotated[int, typer.Option(min=16, help="Side of the input, px; even.")] = 48,
    stem_stride: Annotated[int, typer.Option(min=1, max=2, help="Stride of the first layer.")] = 1,
) -> None:
    """Fine-tune MobileNetV2 in stages; keep the best weights on PublicTest as RUN/model.keras.

    KERAS_BACKEND=jax trains with JAX, on a GPU where there is one.
    """
    from mien.file_lock import locked

    from mien_train.backend import start_backend
    from mien_train.data import ferplus as joined
    from mien_train.data.fer2013 import load

    if labels not in ("fer2013", "votes") or (labels == "votes") != (votes is not None):
        raise UserError(
            "--labels is fer2013, or votes together with --votes fer2013new.csv of FER+: "
            "give both or neither."
        )
    if unlabelled and not teacher:
        raise UserError("--unlabelled needs a --teacher, which labels those images.")
    if teach_once and not teacher:
        raise UserError("--teach-once needs a --teacher, which is asked.")
    dataset = load(data)  # before Keras, so that a wrong path fails at once
    voted = None if votes is None else joined.counts(votes, dataset)
    given: dict[str, Any] = {
        "epochs": epochs,
        "head_epochs": head_epochs,
        "small_epochs": small_epochs,
        "batch": batch,
        "rate": rate,
        "logit_adjust": logit_adjust,
        "teacher_share": teacher_share,
    }
    recipe = replace(
        FULL if subset == "full" else BALANCED,
        **{key: value for key, value in given.items() if value is not None},
        alpha=alpha,
        size=size,
        stem_stride=stem_stride,
        seed=seed,
    )
    changes = recipe.augmentation.times(augment)
    if jitter is not None:
        boxes = recipe.augmentation.times(jitter)
        changes = replace(changes, zoom=boxes.zoom, shift=boxes.shift)
    if degrade is not None:
        changes = replace(changes, degrade=degrade)
    recipe = replace(recipe, augmentation=changes)
    if labels == "votes":
        recipe = replace(recipe, smoothing=0.0)  # ten people's votes are smooth by themselves
    start_backend()
    from mien_train.classifier.run import run_training

    command = command_line()
    run.parent.mkdir(parents=True, exist_ok=True)
    # The lock: two trainings would overwrite each other's state.
    with resumable(command), locked(run):
        best = run_training(
            run,
            dataset,
            subset,
            weights,
            recipe,
            resume,
            voted,
            command,
            teacher or (),
            teacher_weight or (),
            teach_once,
            unlabelled,
        )
    typer.echo(
        f"best validation at epoch {best['epoch']}: accuracy {best['accuracy']:.1%}, "
        f"balanced accuracy {best['balanced_accuracy']:.1%}, macro F1 {best['macro_f1']:.1%}"
    )
    typer.echo(f"wrote {run / 'model.keras'}, {run / 'log.csv'} and {run / 'run.json'}")
