"""One training run: its images, its record (run.json), and its start or resumption."""

from __future__ import annotations

import hashlib
import json
import platform
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path

import keras
import numpy as np

from train import checkpoint, subset
from train.dataset import Dataset
from train.errors import UserError
from train.fit import Faces, fit
from train.labels import LABELS
from train.network import build
from train.recipe import Recipe

RECORD = "run.json"
MANIFEST = "subset.csv"


def start(
    run: Path, dataset: Dataset, chosen: str, weights: str, recipe: Recipe, resume: bool
) -> dict:
    """Train on ``chosen`` ("balanced", "full" or a manifest's path) of ``dataset`` into ``run``.

    Returns the best validation's metrics. Raises UserError where ``run`` holds another run, or
    one and ``resume`` is not asked for, or where images or weights do not fit.
    """
    state = checkpoint.read(run)
    if state is not None and not resume:
        raise UserError(
            f"{run} holds a training run already: give --resume to go on with it, or another --run."
        )
    validation = dataset.select(dataset.splits == "validation")
    if not len(validation):
        raise UserError(
            "the data holds no PublicTest images to validate on: give the whole FER-2013 archive."
        )
    indices = _choose(dataset, chosen, recipe.seed)
    try:
        run.mkdir(parents=True, exist_ok=True)
        manifest = subset.write_manifest(run / MANIFEST, dataset, indices, f"{_kind(chosen)} set")
    except OSError as error:
        raise UserError(
            f"cannot write to {run} ({error.strerror}): choose another --run."
        ) from error
    record = _record(dataset, chosen, indices, manifest, weights, recipe)
    if state is not None:
        _require_same(run, record)
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
    checkpoint.write_text(run / RECORD, json.dumps(record, indent=1) + "\n")
    keras.utils.set_random_seed(recipe.seed)
    state = fit(run, network, _faces(dataset.select(indices)), _faces(validation), recipe)
    return dict(state["best"])


def _choose(dataset: Dataset, chosen: str, seed: int) -> np.ndarray:
    if chosen == "full":
        return subset.full(dataset)
    if chosen == "balanced":
        return subset.balanced(dataset, seed)
    return subset.indices_of(dataset, subset.read_manifest(Path(chosen)))


def _kind(chosen: str) -> str:
    return chosen if chosen in ("full", "balanced") else Path(chosen).name


def _faces(dataset: Dataset) -> Faces:
    """Faces whose target is their label."""
    targets = np.eye(len(LABELS), dtype="float32")[dataset.labels]
    return Faces(dataset.images, dataset.labels, targets)


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
        "labels": "fer2013",
        "manifest_sha256": manifest,
        "weights": file.name if file.is_file() else weights,
        "weights_sha256": (
            hashlib.sha256(file.read_bytes()).hexdigest() if file.is_file() else None
        ),
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
    for key in ("manifest_sha256", "recipe", "labels"):
        if old.get(key) != record[key]:
            raise UserError(
                f"{run} was begun with another {key.removesuffix('_sha256')}: "
                "resume it with the same options, or give another --run."
            )
