"""Derived runs: an unpacked model file, or an average of networks.

Their run.json is that of their origin, with the derivation added, so that `mien-convert`
takes them as any run.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from mien.atomic import sha256, write_file
from mien.errors import UserError

from mien_train.classifier import checkpoint
from mien_train.classifier.from_tflite import metadata, unpack
from mien_train.classifier.loop import RECALIBRATION_FACES
from mien_train.classifier.model_soup import adjust_logits, average
from mien_train.classifier.predict import save_model
from mien_train.classifier.run import RECORD, training_set
from mien_train.data import subset
from mien_train.data.fer2013 import Dataset
from mien_train.json_file import read_json


def unpacked(run: Path, file: Path, dataset: Dataset, command: str) -> None:
    """Write the network of a model file as ``run``; see `mien_train.classifier.from_tflite.unpack`.

    Raises UserError where the file does not fit or ``run`` holds a training run.
    """
    _require_free(run)
    network = unpack(file, _some(dataset))
    made = {"unpacked": {"file": file.name, "sha256": sha256(file)}, "command": command}
    run.mkdir(parents=True, exist_ok=True)
    save_model(network, run / "model.keras")
    _record(run, metadata(file)["training"] | made)


def averaged(
    run: Path,
    models: Sequence[Path],
    shares: Sequence[float],
    dataset: Dataset,
    command: str,
    tau: float = 0.0,
    voted: np.ndarray | None = None,
) -> None:
    """Write the average of networks as ``run``; see `mien_train.classifier.model_soup.average`.

    Its logits are adjusted by ``tau`` times the log prior of the training labels, or of the votes
    ``voted``, float32 [n, 10] of `mien_train.data.ferplus.counts`, where they are given.
    They may have learnt from different labels, as people's votes and FER-2013's; the record is the
    first one's. Raises UserError where they are not alike, learnt from other images, or ``run``
    holds a training run.
    """
    _require_free(run)
    records = [read_json(model.parent / RECORD) for model in models]
    if len({record.get("manifest_sha256") for record in records}) > 1:
        raise UserError(
            "the models learnt from different images: average those of the same --subset."
        )
    network = average(models, shares, _some(dataset))
    made: dict[str, Any] = {"command": command}
    if tau:
        targets = training_set(dataset, subset.full(dataset), voted).targets
        adjust_logits(network, tau, targets[targets.any(axis=1)].mean(axis=0))
        made["logit_adjusted"] = tau
    parts = [
        {
            "file": str(Path(model.parent.name) / model.name),
            "sha256": sha256(model),
            "share": part,
            "labels": record.get("labels"),
        }
        for model, part, record in zip(models, shares, records, strict=True)
    ]
    run.mkdir(parents=True, exist_ok=True)
    save_model(network, run / "model.keras")
    _record(run, records[0] | {"averaged": parts} | made)


def _some(dataset: Dataset) -> np.ndarray:
    """Honest training faces, mixed: a batch of one class varies too little."""
    order = np.random.default_rng(0).permutation(subset.full(dataset))
    return np.asarray(dataset.images[order[:RECALIBRATION_FACES]])


def _require_free(run: Path) -> None:
    if checkpoint.read(run) is not None:
        raise UserError(f"{run} holds a training run already: give another --run.")


def _record(run: Path, record: dict[str, Any]) -> None:
    write_file(run / RECORD, (json.dumps(record, indent=1) + "\n").encode(), "--run")
