"""Training loop: fine-tunes the network stage by stage, resumable after any interruption."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
from mien.atomic import write_file
from mien.classification.prediction import softmax
from mien.evaluation.metrics import score
from tqdm import tqdm

from mien_train.classifier import checkpoint
from mien_train.classifier.batchnorm import plain
from mien_train.classifier.distillation import Teacher
from mien_train.classifier.interrupt import deferred_interrupt
from mien_train.classifier.model import resized
from mien_train.classifier.predict import logits, save_model
from mien_train.classifier.recipe import Recipe
from mien_train.classifier.trainer import (
    Batches,
    Trainer,
    accuracy,
    recalibrate_batchnorm,
    soft_cross_entropy,
)
from mien_train.classifier.training_log import (
    Stage,
    epoch_text,
    log_text,
    progress_text,
    report,
    stages_of,
)
from mien_train.data.labels import LABELS

RECALIBRATION_FACES = 2048  # faces from which BatchNorm's statistics are re-estimated


@dataclass(frozen=True)
class TrainingSet:
    """Training or validation faces with labels and soft targets."""

    images: np.ndarray  # uint8 [n, 48, 48]
    labels: np.ndarray  # int64 [n]
    targets: np.ndarray  # float32 [n, classes], rows sum to 1

    def where(self, mask: np.ndarray | np.bool_) -> TrainingSet:
        """Select the faces of a mask bool [n]."""
        return TrainingSet(self.images[mask], self.labels[mask], self.targets[mask])


def fit(
    run: Path,
    network: keras.Model,
    train: TrainingSet,
    validation: TrainingSet,
    recipe: Recipe,
    teacher: Teacher | None = None,
) -> dict[str, Any]:
    """Train ``network`` and keep the weights that validate best as ``run/model.keras``.

    Resumes from ``run/state.json`` where it exists. The criterion is the mean of accuracy and
    balanced accuracy on ``validation``. Writes ``log.csv`` after each epoch, and a line on stderr.

    Args:
        run: folder of the run.
        network: see `mien_train.classifier.model.build`; its weights are changed.
        train: training faces.
        validation: faces with labels; targets are not used.
        recipe: hyperparameters.
        teacher: soft targets of the last stage. Teachers take faces of the full size only.

    Returns:
        The state: ``best`` (metrics), ``history`` (rows of the log).
    """
    state = checkpoint.read(run)
    stages = stages_of(recipe)
    if state is None:
        state = {"stage": "head", "epoch": 0, "best": None, "history": []}
    else:
        report(f"resuming {run}: {progress_text(state, stages)}")
    batches = Batches(train.images, train.targets, recipe.batch, recipe.seed)
    trainer = None
    weights = state.get("weights")
    current = [stage.name for stage in stages].index(state["stage"])
    remaining = sum(s.epochs for s in stages[current:]) - state["epoch"]
    with (
        tqdm(total=remaining * len(batches), unit="batch", disable=None) as bar,
        deferred_interrupt() as check_interrupt,
    ):
        for stage in stages[current:]:
            if not stage.epochs:
                continue
            first = state["epoch"] if state["stage"] == stage.name else 0
            if first < stage.epochs:
                report(
                    f"stage {stage.name}: {stage.epochs} epoch{'s' * (stage.epochs != 1)} of "
                    f"{len(batches)} batches, "
                    f"{stage.size} px, learning rate {stage.rate:g}"
                )
            trainer = _trainer(trainer, network, recipe, stage, batches, teacher)
            _prepare(trainer, stage, batches, train, recipe)
            if weights is not None and state["stage"] == stage.name:
                trainer.load_weights(run / weights)
                weights = None
            for epoch in range(first, stage.epochs):
                bar.set_description(f"{stage.name} {epoch + 1}/{stage.epochs}")
                row = _fit_epoch(trainer, stage, epoch, batches, bar, check_interrupt)
                if _validates(epoch, stage, recipe, len(validation.images) / len(train.images)):
                    found = _validate(run, trainer, stage, train, validation, state["best"])
                    row |= {f"val_{key}": found[key] for key in _VALIDATED}
                    if found["kept"]:
                        state["best"] = {key: found[key] for key in _VALIDATED} | {
                            "stage": stage.name,
                            "epoch": epoch + 1,
                        }
                report(epoch_text(row, stage))
                state["history"].append(row)
                state |= {"stage": stage.name, "epoch": epoch + 1}
                checkpoint.save(run, trainer, state)
                write_file(run / "log.csv", log_text(state["history"]).encode(), "--run")
            if trainer.network is not network:
                network.set_weights(trainer.network.get_weights())
    return state


_VALIDATED = ("loss", "accuracy", "balanced_accuracy", "macro_f1")


def _trainer(
    before: Trainer | None,
    network: keras.Model,
    recipe: Recipe,
    stage: Stage,
    batches: Batches,
    teacher: Teacher | None,
) -> Trainer:
    """The trainer of the stage ``before``, or a new one for another face size or teacher."""
    teacher = teacher if stage.name == "all" else None
    if before is not None and before.augment.size == stage.size and before.teacher is teacher:
        return before
    if stage.size != recipe.size:
        network = resized(network, stage.size)
    trainer = Trainer(network, replace(recipe, size=stage.size), teacher)
    trainer(batches[0][0], training=False)  # builds it
    return trainer


def _validates(epoch: int, stage: Stage, recipe: Recipe, ratio: float) -> bool:
    """Whether to validate after ``epoch``: every few epochs, and after the last; never small."""
    if stage.size != recipe.size:
        return False
    every = recipe.validate_every or max(1, math.ceil(ratio))
    return (epoch + 1) % every == 0 or epoch + 1 == stage.epochs


def _prepare(
    trainer: Trainer, stage: Stage, batches: Batches, train: TrainingSet, recipe: Recipe
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
        alpha=stage.final_rate,
    )
    average = {"use_ema": True, "ema_momentum": stage.ema} if stage.ema else {}
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


def _fit_epoch(
    trainer: Trainer,
    stage: Stage,
    epoch: int,
    batches: Batches,
    bar: tqdm,
    check_interrupt: Callable[[], None],
) -> dict[str, Any]:
    """Train for one epoch; returns a row of the log."""
    started = time.monotonic()
    batches.start(epoch)

    def end_batch(batch: int, logs: Any = None) -> None:
        bar.update(1)
        check_interrupt()

    tick = keras.callbacks.LambdaCallback(on_train_batch_end=end_batch)
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
    run: Path,
    trainer: Trainer,
    stage: Stage,
    train: TrainingSet,
    validation: TrainingSet,
    best: dict[str, Any] | None,
) -> dict[str, Any]:
    """Metrics of the (averaged) weights on ``validation``; the best are kept as model.keras."""
    network = trainer.network
    live = [np.array(value) for value in trainer.get_weights()] if stage.ema else None
    if live is not None:
        trainer.optimizer.finalize_variable_values(trainer.trainable_variables)
        # Shuffled: the images come class by class, and a batch of one class varies too little.
        sample = np.random.default_rng(0).permutation(len(train.images))[:RECALIBRATION_FACES]
        if any(
            la.trainable for la in network.layers if isinstance(la, keras.layers.BatchNormalization)
        ):
            recalibrate_batchnorm(network, train.images[sample])
    probabilities = softmax(logits(network, validation.images))
    found = score(validation.labels, probabilities, LABELS)
    correct = probabilities[np.arange(len(probabilities)), validation.labels]
    found["loss"] = float(-np.log(np.maximum(correct, 1e-12)).mean())
    criterion = found["accuracy"] + found["balanced_accuracy"]
    found["kept"] = best is None or criterion > best["accuracy"] + best["balanced_accuracy"]
    if found["kept"]:
        save_model(plain(network), run / "model.keras")
    if live is not None:
        trainer.set_weights(live)
    return found
