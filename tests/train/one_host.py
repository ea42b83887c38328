"""One host of a training that test_distribution.py starts: a tiny network, all else is real.

MobileNetV2 itself takes XLA a minute to compile for a CPU. Prints the digest of the weights.
"""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
from mien_train import distributed as distribution
from mien_train.classifier.recipe import BALANCED

RECIPE = replace(
    BALANCED,
    size=24,
    small_size=24,
    head_epochs=0,
    small_epochs=0,
    epochs=2,
    batch=16,
    ema=0.9,
    rate=1e-2,
    head_rate=1e-2,
    seed=5,
)


def faces(seed: int):
    """Bars whose position encodes the class, in noise."""
    from mien_train.classifier.loop import TrainingSet

    rng = np.random.default_rng(seed)
    labels = np.arange(64) % 7
    images = rng.integers(0, 90, (64, 24, 24), np.uint8)
    for image, label in zip(images, labels, strict=True):
        image[2 + 3 * label : 5 + 3 * label] += 150
    return TrainingSet(images, labels, np.eye(7, dtype="float32")[labels])


def network():
    """A convolution, BatchNorm and a head, as far as train.fit needs a MobileNetV2."""
    import keras

    x = inputs = keras.Input((24, 24, 1))
    x = keras.layers.Conv2D(8, 5, 2, use_bias=False)(x)
    x = keras.layers.ReLU(6.0)(keras.layers.BatchNormalization(momentum=0.8)(x))
    x = keras.layers.Flatten()(keras.layers.AveragePooling2D(2)(x))
    return keras.Model(inputs, keras.layers.Dense(7, name="logits")(x), name="tiny")


def main(run: Path, hosts: str | None, index: int | None) -> None:
    """Train and say what came out."""
    from mien.errors import UserError
    from mien_train.backend import start_backend

    together = distribution.parse_hosts(hosts, index)
    start_backend(lambda: distribution.initialize(together, RECIPE.seed) if together else None)
    import keras
    from mien_train.classifier import checkpoint
    from mien_train.classifier.loop import fit

    difference = None
    try:
        distribution.require_identical({"images": index, "recipe": 1})
    except UserError as error:
        difference = str(error)
    keras.utils.set_random_seed(RECIPE.seed)
    trained = network()
    if distribution.process_index_and_count()[0] == 0:
        run.mkdir(parents=True)
    with distribution.run_folder(run, checkpoint.FILES) as folder:
        state = fit(folder, trained, faces(1), faces(2), RECIPE)
    with distribution.run_folder(run, checkpoint.FILES) as folder:  # what --resume would go on from
        resumed = checkpoint.read(folder)
        weights = folder / resumed["weights"]
        print(
            json.dumps(
                {
                    "digest": distribution.weights_digest(trained),
                    "place": distribution.process_index_and_count(),
                    "loss": [row["loss"] for row in state["history"]],
                    "best": state["best"],
                    "resumed": [resumed["stage"], resumed["epoch"], weights.stat().st_size > 0],
                    "difference": difference,
                }
            )
        )


if __name__ == "__main__":
    where, names, number = sys.argv[1:]
    main(Path(where), names or None, int(number) if number else None)
