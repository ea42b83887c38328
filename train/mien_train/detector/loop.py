"""Training of the face detector; may be killed at any moment and resumed."""

from __future__ import annotations

import csv
import io
import time
from dataclasses import asdict
from pathlib import Path

import cv2
import keras
import numpy as np
from keras import layers, ops
from mien.atomic import replacing, write_file
from tqdm import tqdm

from mien_train.classifier import checkpoint
from mien_train.detector.augment import Augmentation, Augmenter
from mien_train.detector.cells import cell_centers
from mien_train.detector.dataset import Photographs
from mien_train.detector.evaluate import evaluate
from mien_train.detector.loss import detection_loss
from mien_train.detector.model import build_detector
from mien_train.detector.predict import detector
from mien_train.detector.recipe import DetectorRecipe
from mien_train.detector.targets import assign
from mien_train.detector.weight_average import WeightAverage

Row = dict[str, float]  # of the log: one epoch


class Views(keras.utils.PyDataset):
    """Batches of augmented views; seed, epoch and index alone decide what is in one."""

    def __init__(self, augmenter: Augmenter, recipe: DetectorRecipe, epoch: int) -> None:
        super().__init__(workers=2, max_queue_size=8)
        self.augmenter, self.recipe, self.epoch = augmenter, recipe, epoch
        self.centers, self.strides = cell_centers(recipe.height, recipe.width)

    def __len__(self) -> int:
        return self.recipe.steps

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        rng = np.random.default_rng((self.recipe.seed, self.epoch, index))
        views = [self.augmenter.view(rng) for _ in range(self.recipe.batch)]
        images = np.stack([view.image for view in views])[..., None]
        return images, np.stack([assign(view, self.centers, self.strides) for view in views])


def train(
    run: Path,
    photographs: Photographs,
    recipe: DetectorRecipe,
    augmentation: Augmentation | None = None,
) -> Row:
    """Train a detector and keep its averaged weights as ``run/model.keras`` after every epoch.

    Goes on behind the last epoch that ``run`` holds. Writes ``run/log.csv`` (a row an epoch) and
    what going on needs. Returns the last row.
    """
    state = checkpoint.read(run) or {"history": []}
    cv2.setNumThreads(1)
    augmenter = Augmenter(photographs.train, recipe.height, recipe.width, augmentation)
    network = build_detector(recipe.height, recipe.width)
    trainer = _trainer(network, recipe)
    history: list[Row] = state["history"]
    average = WeightAverage(network, recipe.average, len(history) * recipe.steps)
    if history:
        average.weights = keras.saving.load_model(run / state["average"]).get_weights()
        trainer.load_weights(run / state["weights"])
    left = recipe.epochs - len(history)
    with tqdm(total=left * recipe.steps, unit="batch", disable=None) as bar:
        for epoch in range(len(history), recipe.epochs):
            started = time.monotonic()
            tick = keras.callbacks.LambdaCallback(
                on_train_batch_end=lambda batch, logs=None: bar.update(1)
            )
            found = trainer.fit(
                Views(augmenter, recipe, epoch), verbose=0, shuffle=False, callbacks=[tick, average]
            ).history
            row = {"epoch": epoch + 1, "loss": found["loss"][-1]}
            row["learning_rate"] = float(ops.convert_to_numpy(trainer.optimizer.learning_rate))
            averaged = average.to_network()
            if (epoch + 1) % recipe.validate_every == 0 or epoch + 1 == recipe.epochs:
                row |= _validate(averaged, photographs, recipe, epoch)
                bar.set_postfix_str(f"AP {row['ap']:.1%}, recall {row['recall']:.1%}")
            row["seconds"] = round(time.monotonic() - started, 1)
            history.append(row)
            _save(run, trainer, averaged, recipe, history)
    return history[-1]


def _trainer(network: keras.Model, recipe: DetectorRecipe) -> keras.Model:
    """``network`` with bytes in front, its outputs side by side, compiled."""
    image = layers.Input(network.input.shape[1:], dtype="uint8")
    output = network(layers.Rescaling(1 / 127.5, -1.0)(image))
    joined = layers.Concatenate(axis=-1)([output["scores"], output["boxes"], output["landmarks"]])
    trainer = keras.Model(image, joined)
    warmup = int(recipe.warmup * recipe.steps)
    rate = keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=recipe.rate / 25,
        decay_steps=max(1, recipe.epochs * recipe.steps - warmup),
        warmup_target=recipe.rate,
        warmup_steps=warmup,
        alpha=recipe.last,
    )
    optimizer = keras.optimizers.AdamW(
        rate,
        weight_decay=recipe.weight_decay,
        global_clipnorm=10.0,
    )
    optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    # TensorFlow's XLA trains many times slower on a CPU.
    compiled = keras.backend.backend() == "jax"
    trainer.compile(optimizer=optimizer, loss=detection_loss, jit_compile=compiled)
    optimizer.build(trainer.trainable_variables)
    return trainer


def _validate(
    network: keras.Model, photographs: Photographs, recipe: DetectorRecipe, epoch: int
) -> Row:
    sizes = {"": (recipe.height, recipe.width)}
    if (epoch + 1) % recipe.large_every == 0:
        sizes["large "] = (2 * recipe.height, 2 * recipe.width)
    row: Row = {}
    for prefix, (height, width) in sizes.items():
        found = evaluate(detector(network, height, width), photographs.validation)
        row |= {f"{prefix}{key}": round(value, 4) for key, value in found.items()}
    return row


def _save(
    run: Path,
    trainer: keras.Model,
    averaged: keras.Model,
    recipe: DetectorRecipe,
    history: list[Row],
) -> None:
    """Keep the state, ``model.keras`` and ``log.csv``."""
    name = f"average-{len(history):04d}.keras"
    with replacing(run / name, "--run") as part:
        averaged.save(part)
    state = {"stage": "all", "epoch": len(history), "recipe": asdict(recipe)}
    checkpoint.save(run, trainer, state | {"average": name, "history": history})
    for old in run.glob("average-*.keras"):
        if old.name != name:
            old.unlink()
    write_file(run / "model.keras", (run / name).read_bytes(), "--run")
    write_file(run / "log.csv", _log(history).encode(), "--run")


def _log(history: list[Row]) -> str:
    text = io.StringIO()
    columns = list(dict.fromkeys(key for row in history for key in row))
    writer = csv.DictWriter(text, columns, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(history)
    return text.getvalue()
