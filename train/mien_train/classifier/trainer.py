"""Training model: the network with augmentation in front, soft targets and a loss."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from keras import ops

from mien_train.classifier.augment import Augment
from mien_train.classifier.distillation import Teacher
from mien_train.classifier.predict import inputs
from mien_train.classifier.recipe import Recipe


class Trainer(keras.Model):
    """Gray bytes and targets to logits and augmented targets, concatenated.

    Input ``{"image": uint8 [n, h, w], "target": float32 [n, k]}``, output ``float32 [n, 2 k]``:
    mixing changes the targets with the faces, so that both have to pass through the same graph,
    whatever the backend.
    """

    def __init__(
        self, network: keras.Model, recipe: Recipe, teacher: Teacher | None = None
    ) -> None:
        super().__init__(name="trainer")
        self.network = network
        # A function, so that Keras does not take the teachers' weights for the trainer's own.
        self.teacher = teacher
        self.teacher_share = recipe.teacher_share
        self.augment = Augment(recipe.size, recipe.augmentation, recipe.seed, name="augment")

    def call(self, inputs: dict[str, Any], training: bool = False) -> Any:
        """See the class; shapes there."""
        x, targets = self.augment(inputs["image"], inputs["target"], training=training)
        if training and self.teacher is not None:
            soft = ops.stop_gradient(self.teacher(x))
            targets = (1.0 - self.teacher_share) * targets + self.teacher_share * soft
        return ops.concatenate([self.network(x, training=training), targets], axis=-1)


def soft_cross_entropy(smoothing: float, offset: np.ndarray) -> Callable[[Any, Any], Any]:
    """Cross-entropy of a Trainer's output; its first argument is not used.

    ``offset`` float32 [k] is added to the logits: with ``tau * log(prior)`` the network learns
    logits that are fair to rare classes (Menon et al., "Long-tail learning via logit adjustment",
    2021).
    """
    classes = len(offset)

    def loss(_: Any, output: Any) -> Any:
        logits, targets = output[:, :classes] + offset, output[:, classes:]
        targets = targets * (1.0 - smoothing) + smoothing / classes
        return -ops.sum(targets * ops.log_softmax(logits, axis=-1), axis=-1)

    return loss


def accuracy(_: Any, output: Any) -> Any:
    """Share of a Trainer's outputs whose highest logit is at the highest target."""
    classes = output.shape[-1] // 2
    return ops.cast(
        ops.argmax(output[:, :classes], axis=-1) == ops.argmax(output[:, classes:], axis=-1),
        "float32",
    )


class Batches(keras.utils.PyDataset):
    """Shuffled batches of faces kept in memory as bytes; seed and epoch give the order."""

    def __init__(self, images: np.ndarray, targets: np.ndarray, batch: int, seed: int) -> None:
        super().__init__()
        self.images, self.targets, self.batch, self.seed = images, targets, batch, seed
        self.start(0)

    def start(self, epoch: int) -> None:
        """Shuffle for ``epoch``."""
        self.order = np.random.default_rng((self.seed, epoch)).permutation(len(self.images))

    def __len__(self) -> int:
        # The last, smaller batch is left out: BatchNorm, and one compiled shape.
        return max(1, len(self.images) // self.batch)

    def __getitem__(self, index: int) -> tuple[dict[str, np.ndarray], np.ndarray]:
        """Inputs of a Trainer, and the zeros that Keras wants as a target."""
        chosen = self.order[index * self.batch : (index + 1) * self.batch]
        inputs = {"image": self.images[chosen], "target": self.targets[chosen]}
        return inputs, np.zeros((len(chosen), 1), "float32")


def recalibrate_batchnorm(network: keras.Model, images: np.ndarray, batch: int = 64) -> None:
    """Set every BatchNorm's moving mean and variance to their plain average over ``images``.

    ``images`` are gray bytes, uint8 [n, h, w]. An average of weights (Izmailov et al., "Averaging
    Weights Leads to Wider Optima", 2018) has statistics that no training step has seen. Run
    eagerly, Keras holds every layer's output to the end, 14 MB a face of 48 px: a small batch.
    """
    layers = [la for la in network.layers if isinstance(la, keras.layers.BatchNormalization)]
    momenta = [layer.momentum for layer in layers]
    try:
        for step, start in enumerate(range(0, len(images) - batch // 2, batch)):
            for layer in layers:
                layer.momentum = step / (step + 1.0)
            network(inputs(network, images[start : start + batch]), training=True)
    finally:
        for layer, momentum in zip(layers, momenta, strict=True):
            layer.momentum = momentum
