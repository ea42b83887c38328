"""Fine-tunes the network stage by stage; may be killed at any moment and resumed."""

from __future__ import annotations

import csv
import io
import math
import time
from dataclasses import dataclass, replace
from pathlib import Path

import keras
import numpy as np
from tqdm import tqdm

from mien_train.classifier import checkpoint
from mien_train.classifier.batchnorm import plain
from mien_train.classifier.distillation import Teach
from mien_train.classifier.model import resized
from mien_train.classifier.predict import logits, save_model
from mien_train.classifier.recipe import Recipe
from mien_train.classifier.trainer import (
    Batches,
    Trainer,
    accuracy,
    reestimate_statistics,
    soft_cross_entropy,
)
from mien_train.evaluation.metrics import score
from mien_train.files import write

COLUMNS = (
    "epoch",
    "stage",
    "loss",
    "accuracy",
    "val_loss",
    "val_accuracy",
    "val_balanced_accuracy",
    "val_macro_f1",
    "learning_rate",
    "seconds",
)
STATISTICS_IMAGES = 2048  # faces from which BatchNorm's statistics are re-estimated


@dataclass(frozen=True)
class Faces:
    """Faces with what they are to be read as."""

    images: np.ndarray  # uint8 [n, 48, 48]
    labels: np.ndarray  # int64 [n]
    targets: np.ndarray  # float32 [n, classes], rows sum to 1

    def where(self, mask: np.ndarray) -> Faces:
        """Those of a mask bool [n]."""
        return Faces(self.images[mask], self.labels[mask], self.targets[mask])


@dataclass(frozen=True)
class Stage:
    """One of the stages: head, small, all."""

    name: str
    size: int  # pixels, side of the faces
    epochs: int
    rate: float
    warmup: float  # epochs
    last: float  # what the rate falls to, as a share of the peak
    average: float  # EMA momentum


def fit(
    run: Path,
    network: keras.Model,
    train: Faces,
    validation: Faces,
    recipe: Recipe,
    teach: Teach | None = None,
) -> dict:
    """Train ``network`` and keep what validates best as ``run/model.keras``.

    ``teach`` has a say in the last stage's targets: teachers know faces of the full size only.

    Continues where ``run/state.json`` says that an earlier call got to. What is compared is the
    mean of accuracy and balanced accuracy on ``validation``. Writes ``log.csv`` after each epoch.
    Returns the state: ``best`` (metrics), ``history`` (rows of the log).
    """
    state = checkpoint.read(run) or {"stage": "head", "epoch": 0, "best": None, "history": []}
    batches = Batches(train.images, train.targets, recipe.batch, recipe.seed)
    stages = [
        Stage("head", recipe.size, recipe.head_epochs, recipe.head_rate, 0.0, 0.01, 0.0),
        Stage("small", recipe.small_size, recipe.small_epochs, recipe.rate, recipe.warmup, 0.5, 0),
        Stage("all", recipe.size, recipe.epochs, recipe.rate, recipe.warmup, 0.01, recipe.ema),
    ]
    trainer = None
    weights = state.get("weights")
    remaining = sum(s.epochs for s in stages[_place(state, stages) :]) - state["epoch"]
    with tqdm(total=remaining * len(batches), unit="batch", disable=None) as bar:
        for stage in stages[_place(state, stages) :]:
            if not stage.epochs:
                continue
            trainer = _trainer(trainer, network, recipe, stage, batches, teach)
            _prepare(trainer, stage, batches, train, recipe)
            if weights is not None and state["stage"] == stage.name:
                trainer.load_weights(run / weights)
                weights = None
            first = state["epoch"] if state["stage"] == stage.name else 0
            for epoch in range(first, stage.epochs):
                row = _epoch(trainer, stage, epoch, batches, bar)
                if _validates(epoch, stage, recipe, len(validation.images) / len(train.images)):
                    found = _validate(run, trainer, stage, train, validation, state["best"])
                    row |= {f"val_{key}": found[key] for key in _VALIDATED}
                    if found["kept"]:
                        state["best"] = {key: found[key] for key in _VALIDATED} | {
                            "stage": stage.name,
                            "epoch": epoch + 1,
                        }
                    bar.set_postfix_str(
                        f"validation {found['accuracy']:.1%}, balanced "
                        f"{found['balanced_accuracy']:.1%}"
                    )
                state["history"].append(row)
                state |= {"stage": stage.name, "epoch": epoch + 1}
                checkpoint.save(run, trainer, state)
                write(run / "log.csv", log_text(state["history"]).encode(), "--run")
            if trainer.network is not network:
                network.set_weights(trainer.network.get_weights())
    return state


_VALIDATED = ("loss", "accuracy", "balanced_accuracy", "macro_f1")


def _place(state: dict, stages: list[Stage]) -> int:
    return [stage.name for stage in stages].index(state["stage"])


def _trainer(
    before: Trainer | None,
    network: keras.Model,
    recipe: Recipe,
    stage: Stage,
    batches: Batches,
    teach: Teach | None,
) -> Trainer:
    """The trainer of the stage ``before``, or a new one where ``stage`` sees something else."""
    teach = teach if stage.name == "all" else None
    if before is not None and before.augment.size == stage.size and before.teach is teach:
        return before
    if stage.size != recipe.size:
        network = resized(network, stage.size)
    trainer = Trainer(network, replace(recipe, size=stage.size), teach)
    trainer(batches[0][0], training=False)  # builds it
    return trainer


def _validates(epoch: int, stage: Stage, recipe: Recipe, ratio: float) -> bool:
    """Whether to validate after ``epoch``: every few epochs, and after the last; never small."""
    if stage.size != recipe.size:
        return False
    every = recipe.validate_every or max(1, math.ceil(ratio))
    return (epoch + 1) % every == 0 or epoch + 1 == stage.epochs


def _prepare(
    trainer: Trainer, stage: Stage, batches: Batches, train: Faces, recipe: Recipe
) -> None:
    """Freeze or free the backbone and compile for ``stage``."""
    for layer in trainer.network.layers:
        norm = isinstance(layer, keras.layers.BatchNormalization)
        layer.trainable = (
            layer.name == "logits"
            if stage.name == "head"
            else not (norm and recipe.freeze_statistics)
        )
    steps = stage.epochs * len(batches)
    warmup = int(stage.warmup * len(batches))
    rate = keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=stage.rate / 25 if warmup else stage.rate,
        decay_steps=max(1, steps - warmup),
        warmup_target=stage.rate if warmup else None,
        warmup_steps=warmup,
        alpha=stage.last,
    )
    average = {"use_ema": True, "ema_momentum": stage.average} if stage.average else {}
    optimizer = keras.optimizers.AdamW(rate, weight_decay=recipe.weight_decay, **average)
    optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    prior = train.targets.mean(axis=0)
    offset = recipe.logit_adjust * np.log(np.maximum(prior, 1e-6))
    trainer.compile(
        optimizer=optimizer,
        loss=soft_cross_entropy(recipe.smoothing, offset.astype("float32")),
        metrics=[accuracy],
        jit_compile=keras.backend.backend() == "jax",
    )
    optimizer.build(trainer.trainable_variables)


def _epoch(trainer: Trainer, stage: Stage, epoch: int, batches: Batches, bar: tqdm) -> dict:
    """Train for one epoch; a row of the log."""
    started = time.monotonic()
    batches.start(epoch)
    tick = keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs=None: bar.update(1))
    found = trainer.fit(batches, epochs=1, verbose=0, shuffle=False, callbacks=[tick]).history
    return {
        "epoch": epoch + 1,
        "stage": stage.name,
        "loss": found["loss"][-1],
        "accuracy": found["accuracy"][-1],
        "learning_rate": float(keras.ops.convert_to_numpy(trainer.optimizer.learning_rate)),
        "seconds": round(time.monotonic() - started, 1),
    }


def _validate(
    run: Path, trainer: Trainer, stage: Stage, train: Faces, validation: Faces, best: dict | None
) -> dict:
    """Metrics of the (averaged) weights on ``validation``; the best are kept as model.keras."""
    network = trainer.network
    live = [np.array(value) for value in trainer.get_weights()] if stage.average else None
    if live is not None:
        trainer.optimizer.finalize_variable_values(trainer.trainable_variables)
        # Mixed, for the images come class by class, and a batch of one class varies too little.
        some = np.random.default_rng(0).permutation(len(train.images))[:STATISTICS_IMAGES]
        if any(
            la.trainable for la in network.layers if isinstance(la, keras.layers.BatchNormalization)
        ):
            reestimate_statistics(network, train.images[some])
    z = logits(network, validation.images).astype("float64")
    z -= z.max(axis=1, keepdims=True)
    probabilities = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
    found = score(validation.labels, probabilities)
    right = probabilities[np.arange(len(z)), validation.labels]
    found["loss"] = float(-np.log(np.maximum(right, 1e-12)).mean())
    worth = found["accuracy"] + found["balanced_accuracy"]
    found["kept"] = best is None or worth > best["accuracy"] + best["balanced_accuracy"]
    if found["kept"]:
        save_model(plain(network), run / "model.keras")
    if live is not None:
        trainer.set_weights(live)
    return found


def log_text(history: list[dict]) -> str:
    """``history`` as CSV with the columns of COLUMNS; empty where an epoch was not validated."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, restval="", lineterminator="\n")
    writer.writeheader()
    for row in history:
        writer.writerow({k: f"{v:.6g}" if isinstance(v, float) else v for k, v in row.items()})
    return text.getvalue()
