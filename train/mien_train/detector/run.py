"""One training run of the detector: its record (run.json), and its start or resumption."""

from __future__ import annotations

import hashlib
import json
import platform
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path

import keras
import numpy as np
from mien.atomic import write_file
from mien.errors import UserError

from mien_train.classifier import checkpoint
from mien_train.detector.augment import Augmentation
from mien_train.detector.dataset import Photograph, Photographs
from mien_train.detector.loop import Row, train
from mien_train.detector.recipe import DetectorRecipe

RECORD = "run.json"


def run_training(
    run: Path,
    data: Path,
    photographs: Photographs,
    recipe: DetectorRecipe,
    resume: bool,
    command: str | None = None,
    teacher: str | None = None,
) -> Row:
    """Train a detector into the folder ``run``; returns the last row of its log.

    Args:
        run: folder for model.keras, log.csv, run.json and the checkpoints.
        data: where the photographs are from, for the record.
        photographs: training and validation pictures.
        recipe: numbers of the training.
        resume: continue the training in ``run``, up to ``recipe.epochs``.
        command: the shell command of this run, for the record.
        teacher: name of the detector that confirmed labels, for the record.

    Raises:
        UserError: ``run`` holds a training and ``resume`` is False, or one with another recipe.
    """
    state = checkpoint.read(run)
    if state is not None and not resume:
        raise UserError(
            f"{run} holds a training run already: give --resume to go on with it, or another --run."
        )
    record = {
        "task": "face detection",
        "data": data.name,
        "pictures_sha256": fingerprint([*photographs.train, *photographs.validation]),
        "pictures": {
            part: {"pictures": len(pictures), "faces": sum(len(p.faces) for p in pictures)}
            for part, pictures in (
                ("train", photographs.train),
                ("validation", photographs.validation),
            )
        },
        "recipe": asdict(recipe),
        "augmentation": asdict(Augmentation()),
        "seed": recipe.seed,
        "weights": "none",
        "teacher": teacher,
        "command": command,
        "versions": {"python": platform.python_version(), "keras": keras.__version__}
        | {name: version(name) for name in ("numpy", "opencv-python")},
    }
    # More epochs extend the run; the learning rate follows the longer schedule.
    if state is not None and state["recipe"] | {"epochs": recipe.epochs} != asdict(recipe):
        raise UserError(f"{run} was begun with other options; give the same ones to --resume.")
    keras.utils.set_random_seed(recipe.seed)
    write_file(run / RECORD, (json.dumps(record, indent=1) + "\n").encode(), "--run")
    return train(run, photographs, recipe)


def fingerprint(photographs: list[Photograph]) -> str:
    """SHA-256 over all pixels and boxes, in order, hex."""
    digest = hashlib.sha256()
    for photograph in photographs:
        for values in (photograph.image, photograph.faces, photograph.ignored):
            digest.update(np.ascontiguousarray(values).tobytes())
    return digest.hexdigest()
