"""The beginning and the end of making a network that finds faces."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import typer
from mien.atomic import write_file
from mien_train.backend import start_backend

from mien_convert.accuracy_gate import REFUSED
from mien_convert.face_networks.people import Pictures, training_faces

HELD_OUT = 10  # every tenth picture is kept for the measurement


def begin(data: Path, seed: int) -> tuple[Pictures, Pictures]:
    """Start Keras, and return the faces to learn from and those kept for the measurement.

    Raises UserError where there are none.
    """
    faces = training_faces(data)
    order = np.random.default_rng([seed, 5]).permutation(len(faces))
    os.environ["KERAS_BACKEND"] = "tensorflow"
    start_backend()
    import keras

    keras.utils.set_random_seed(seed)
    return faces[np.delete(order, np.s_[::HELD_OUT])], faces[order[::HELD_OUT]]


def deliver(out: Path, network: bytes, card: str, refusal: str | None) -> None:
    """Print the card and write network and card; with a `refusal`, a sentence, write neither.

    Raises typer.Exit with the status of a refusal.
    """
    typer.echo(card)
    if refusal is not None:
        typer.echo(f"mien-convert: {refusal}", err=True)
        raise typer.Exit(REFUSED)
    write_file(out, network, "--out")
    write_file(out.with_suffix(".md"), card.encode(), "--out")
    typer.echo(f"wrote {out} and {out.with_suffix('.md')}")
