"""Training run: choice of images, record (run.json), start and resumption."""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Sequence
from dataclasses import asdict, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import keras
import numpy as np
from mien.atomic import replacing, sha256, write_file
from mien.errors import UserError

from mien_train.classifier import checkpoint
from mien_train.classifier.distillation import load_teachers, opinions
from mien_train.classifier.loop import TrainingSet, fit
from mien_train.classifier.model import build
from mien_train.classifier.recipe import Recipe
from mien_train.data import ferplus as votes
from mien_train.data import subset
from mien_train.data.fer2013 import Dataset
from mien_train.data.labels import LABELS
from mien_train.json_file import read_json

RECORD = "run.json"
MANIFEST = "subset.csv"
OPINIONS = "opinions.npy"  # of the teachers, on the training faces
LABELLED_REPEATS = 2  # times that an epoch shows each labelled face; unlabelled ones once


def run_training(
    run: Path,
    dataset: Dataset,
    chosen: str,
    weights: str,
    recipe: Recipe,
    resume: bool,
    voted: np.ndarray | None = None,
    command: str | None = None,
    teachers: Sequence[Path] = (),
    teacher_weights: Sequence[float] = (),
    teach_once: bool = False,
    unlabelled: bool = False,
) -> dict[str, Any]:
    """Train a classifier into the folder ``run``; returns the metrics of the best validation.

    Args:
        run: folder for model.keras, log, record and checkpoints; locked while this runs.
        dataset: FER-2013.
        chosen: "balanced", "full" or the path of a manifest.
        weights: see `mien_train.classifier.model.build`; "none" for random ones.
        recipe: hyperparameters.
        resume: go on with the training in ``run``; a finished one is extended by more epochs.
        voted: votes float32 [n, 10] of `mien_train.data.ferplus.counts`; they become the labels.
        command: the shell command of this run, for the record.
        teachers: model.keras files, see `mien_train.classifier.distillation`.
        teacher_weights: weights of the mean of the teachers, equal by default.
        teach_once: ask the teachers once about each face as it is, for all stages, in the place of
            at every step of the last stage. Their answers are kept in ``run`` while it trains.
        unlabelled: also learn from the other training images, by the teachers' probabilities.

    Raises:
        UserError: ``run`` holds another training, or one and ``resume`` is False, or another
            process trains there; or images or weights do not fit.
    """
    state = checkpoint.read(run)
    if state is not None and not resume:
        raise UserError(
            f"{run} holds a training run already: give --resume to go on with it, or another --run."
        )
    validating = np.flatnonzero(dataset.splits == "validation")
    if not len(validating):
        raise UserError(
            "the data holds no PublicTest images to validate on: give the whole FER-2013 archive."
        )
    indices = _choose(dataset, chosen, recipe.seed)
    manifest = subset.manifest_text(dataset, indices, f"{chosen} set")
    record = _record(dataset, chosen, indices, manifest, weights, recipe)
    record["command"] = command
    record["labels"] = "fer2013" if voted is None else "votes"
    teacher = None if teach_once else load_teachers(teachers, recipe.size, teacher_weights)
    record["teachers"] = [
        {"file": str(Path(file.parent.name) / file.name), "sha256": sha256(file)}
        for file in teachers
    ]
    record["teacher_weights"] = list(teacher_weights)
    record["teach_once"] = teach_once
    record["unlabelled"] = unlabelled
    if state is not None:
        record["extended_from"] = _require_resumable(run, record)
    keras.utils.set_random_seed(recipe.seed)  # draws the new head
    # A resumed run loads its own weights, so it needs neither these nor a network connection.
    source = None if state is not None or weights == "none" else weights
    network = build(
        recipe.size,
        recipe.alpha,
        recipe.stem_stride,
        source,
        len(LABELS),
        recipe.dropout,
        recipe.momentum,
    )
    write_file(run / MANIFEST, manifest.encode(), "--run")
    write_file(run / RECORD, (json.dumps(record, indent=1) + "\n").encode(), "--run")
    keras.utils.set_random_seed(recipe.seed)
    train, validation = (training_set(dataset, part, voted) for part in (indices, validating))
    train = train.where(train.targets.any(axis=1))
    if teach_once:
        if state is None or not (run / OPINIONS).is_file():
            with replacing(run / OPINIONS, "--run") as part, part.open("wb") as stream:
                np.save(stream, opinions(teachers, train.images, teacher_weights))
        own, told = 1.0 - recipe.teacher_share, recipe.teacher_share
        train = replace(train, targets=own * train.targets + told * np.load(run / OPINIONS))
    if unlabelled:
        others = dataset.images[np.setdiff1d(subset.full(dataset), indices)]
        train = with_unlabelled(train, others, opinions(teachers, others, teacher_weights))
        teacher = None
    decided = validation.labels >= 0
    state = fit(run, network, train, validation.where(decided), recipe, teacher)
    return dict(state["best"])


def _choose(dataset: Dataset, chosen: str, seed: int) -> np.ndarray:
    if chosen == "full":
        return subset.full(dataset)
    if chosen == "balanced":
        return subset.balanced(dataset, seed)
    raise UserError(f"there is no subset '{chosen}'; --subset takes balanced or full.")


def training_set(dataset: Dataset, indices: np.ndarray, voted: np.ndarray | None) -> TrainingSet:
    """Faces with one-hot targets, or with the distribution of their votes as targets.

    With votes the label is the majority, -1 for a tie or for none of the seven classes.
    """
    images, labels = dataset.images[indices], dataset.labels[indices]
    if voted is None:
        return TrainingSet(images, labels, np.eye(len(LABELS), dtype="float32")[labels])
    chosen = voted[indices]
    return TrainingSet(images, votes.majority(chosen), votes.distribution(chosen))


def with_unlabelled(train: TrainingSet, images: np.ndarray, targets: np.ndarray) -> TrainingSet:
    """``train``, LABELLED_REPEATS times, and images uint8 [n, 48, 48] with the teachers' opinions.

    Self-training (Xie et al., "Self-training with Noisy Student improves ImageNet classification",
    2020): the teachers see the original faces, the student augmented ones.
    """
    pseudo_labelled = TrainingSet(images, np.full(len(images), -1), targets)
    return TrainingSet(
        *(
            np.concatenate(
                [getattr(part, name) for part in [train] * LABELLED_REPEATS + [pseudo_labelled]]
            )
            for name in ("images", "labels", "targets")
        )
    )


def _record(
    dataset: Dataset,
    chosen: str,
    indices: np.ndarray,
    manifest: str,
    weights: str,
    recipe: Recipe,
) -> dict[str, Any]:
    """What run.json holds: all that it takes to do the run again."""
    file = Path(weights)
    return {
        "subset": chosen,
        "images": len(indices),
        "per_class": dict(
            zip(
                LABELS,
                np.bincount(dataset.labels[indices], minlength=len(LABELS)).tolist(),
                strict=True,
            )
        ),
        "seed": recipe.seed,
        "manifest_sha256": hashlib.sha256(manifest.encode()).hexdigest(),
        "weights": file.name if file.is_file() else weights,
        "weights_sha256": sha256(file) if file.is_file() else None,
        "recipe": asdict(recipe),
        "backend": keras.backend.backend(),
        "versions": {
            "python": platform.python_version(),
            "keras": keras.__version__,
            keras.backend.backend(): version(keras.backend.backend()),
            "numpy": np.__version__,
            "mien": version("mien"),
        },
    }


def _require_resumable(run: Path, record: dict[str, Any]) -> list[int]:
    """Raise UserError where a run was begun with other options; more epochs are allowed.

    Returns the numbers of epochs of the last stage from which the run was extended.
    """
    old = read_json(run / RECORD)
    # A recipe from before a field existed was trained with the field's default.
    before = _flat({**asdict(Recipe()), **(old.get("recipe") or {})})
    now = _flat(record["recipe"])
    before |= {key: old.get(key, default) for key, default in _IDENTITY.items()}
    now |= {key: record[key] for key in _IDENTITY}
    extended: list[int] = list(old.get("extended_from", []))
    if now["epochs"] > before["epochs"]:
        extended.append(before["epochs"])
        before["epochs"] = now["epochs"]
    differing = [
        f"{key.removesuffix('_sha256')} {before.get(key)}, now {value}"
        if isinstance(value, (int, float, str)) and not key.endswith("sha256")
        else f"another {key.removesuffix('_sha256').removesuffix('s')}"
        for key, value in now.items()
        if value != before.get(key)
    ]
    if differing:
        raise UserError(
            f"{run} was begun with other options ({'; '.join(differing)}): "
            "resume it with the same ones, or give another --run."
        )
    return extended


# Fields of run.json beside the recipe that identify a run, and what older records mean without.
_IDENTITY: dict[str, Any] = {
    "manifest_sha256": None,
    "labels": None,
    "teachers": [],
    "teacher_weights": [],
    "teach_once": False,
    "unlabelled": False,
}


def _flat(recipe: dict[str, Any]) -> dict[str, Any]:
    """The recipe without nesting; augmentation's fields get their group's name in front."""
    nested = {f"augmentation {k}": v for k, v in dict(recipe["augmentation"]).items()}
    return {key: value for key, value in recipe.items() if key != "augmentation"} | nested
