"""One training run: its images, its record (run.json), and its start or resumption."""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Sequence
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path

import keras
import numpy as np
from mien.atomic import sha256, write_file
from mien.classification.prediction import softmax
from mien.errors import UserError

from mien_train import distributed as distribution
from mien_train.classifier import checkpoint
from mien_train.classifier.distillation import load_teachers
from mien_train.classifier.loop import TrainingSet, fit
from mien_train.classifier.model import build
from mien_train.classifier.predict import load_model, logits
from mien_train.classifier.recipe import Recipe
from mien_train.data import ferplus as votes
from mien_train.data import subset
from mien_train.data.fer2013 import Dataset
from mien_train.data.labels import LABELS

RECORD = "run.json"
MANIFEST = "subset.csv"
LABELLED = 2  # times that a labelled face is shown in an epoch for each that has no label


def start(
    run: Path,
    dataset: Dataset,
    chosen: str,
    weights: str,
    recipe: Recipe,
    resume: bool,
    voted: np.ndarray | None = None,
    command: str | None = None,
    teachers: Sequence[Path] = (),
    unlabelled: bool = False,
) -> dict:
    """Train on ``chosen`` ("balanced", "full" or a manifest's path) of ``dataset`` into ``run``.

    With ``voted``, float32 [n, 10] of mien_train.data.ferplus.counts, people's votes are the labels.
    ``teachers`` are model.keras files, see `mien_train.classifier.distillation`. With ``unlabelled`` the other honest
    training images are learnt from as well, by the teachers' opinion alone. ``command`` is what a
    person types to do it again, for the record.
    Returns the best validation's metrics. Raises UserError where ``run`` holds another run, or
    one and ``resume`` is not asked for, or where images or weights do not fit.
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
    manifest = subset.manifest_text(dataset, indices, f"{_kind(chosen)} set")
    record = _record(dataset, chosen, indices, manifest, weights, recipe)
    record["command"] = command
    record["labels"] = "fer2013" if voted is None else "votes"
    teach = load_teachers(teachers, recipe.size)
    record["teachers"] = [{"file": file.name, "sha256": sha256(file)} for file in teachers]
    record["unlabelled"] = unlabelled
    record["hosts"] = distribution.place()[1]
    distribution.require_same(
        {key: record[key] for key in ("manifest_sha256", "weights_sha256", "recipe", "labels")}
    )
    if state is not None:
        _require_same(run, record)
    keras.utils.set_random_seed(recipe.seed)  # the new head is drawn with it
    # The run's weights replace these; so a resumed run needs none, and no network.
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
    train, validation = (faces(dataset, part, voted) for part in (indices, validating))
    train = train.where(train.targets.any(axis=1))
    if unlabelled:
        others = np.setdiff1d(subset.full(dataset), indices)
        train, teach = with_unlabelled(train, dataset.images[others], teachers), None
    decided = validation.labels >= 0
    state = fit(run, network, train, validation.where(decided), recipe, teach)
    return dict(state["best"])


def _choose(dataset: Dataset, chosen: str, seed: int) -> np.ndarray:
    if chosen == "full":
        return subset.full(dataset)
    if chosen == "balanced":
        return subset.balanced(dataset, seed)
    return subset.indices_of(dataset, subset.read_manifest(Path(chosen)))


def _kind(chosen: str) -> str:
    return chosen if chosen in ("full", "balanced") else Path(chosen).name


def faces(dataset: Dataset, indices: np.ndarray, voted: np.ndarray | None) -> TrainingSet:
    """Faces whose target is their label, or the distribution of the votes for them.

    By votes the label is the majority, -1 where that is a tie or none of the seven classes.
    """
    images, labels = dataset.images[indices], dataset.labels[indices]
    if voted is None:
        return TrainingSet(images, labels, np.eye(len(LABELS), dtype="float32")[labels])
    chosen = voted[indices]
    return TrainingSet(images, votes.majority(chosen), votes.distribution(chosen))


def with_unlabelled(
    train: TrainingSet, images: np.ndarray, teachers: Sequence[Path]
) -> TrainingSet:
    """``train``, LABELLED times over, and images (uint8 [n, 48, 48]) by what teachers say of them.

    Self-training (Xie et al., "Self-training with Noisy Student improves ImageNet classification",
    2020): the teachers see the faces as they are, the pupil sees them changed.
    """
    opinions = [softmax(logits(load_model(path), images)) for path in teachers]
    taught = TrainingSet(
        images, np.full(len(images), -1), np.mean(opinions, axis=0, dtype="float32")
    )
    return TrainingSet(
        *(
            np.concatenate([getattr(part, name) for part in [train] * LABELLED + [taught]])
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
) -> dict:
    """What run.json holds: all that it takes to do the run again."""
    file = Path(weights)
    return {
        "subset": _kind(chosen),
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


def _require_same(run: Path, record: dict) -> None:
    """Refuse to resume a run with other images or another recipe than it was begun with."""
    try:
        old = json.loads((run / RECORD).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(
            f"{run / RECORD} is missing or damaged: delete {run} and begin again."
        ) from error
    # A recipe written before one of its figures had a name was trained with that one's default.
    old["recipe"] = asdict(Recipe()) | dict(old.get("recipe") or {})
    old = {"teachers": [], "unlabelled": False} | old
    for key in ("manifest_sha256", "recipe", "labels", "teachers", "unlabelled"):
        if old.get(key) != record[key]:
            name = key.removesuffix("_sha256").removesuffix("s")
            raise UserError(
                f"{run} was begun with another {name}: "
                "resume it with the same options, or give another --run."
            )
