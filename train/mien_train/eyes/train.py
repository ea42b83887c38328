"""Training of the eye network: batches of augmented patches, every source with the same share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import keras
import numpy as np
import numpy.typing as npt

from mien_train.eyes.augment import Augmentation, augmented
from mien_train.eyes.model import build
from mien_train.eyes.patches import SPANS, Patches


@dataclass(frozen=True)
class Recipe:
    """How the network is trained."""

    steps: int = 6000
    batch: int = 128  # patches a step
    rate: float = 4e-3  # peak learning rate of AdamW, one cosine
    decay: float = 1e-3  # weight decay
    smoothing: float = 0.02  # of labels: some publishers' are wrong
    average: float = 0.998  # of weights, an exponential moving average
    seed: int = 7
    augmentation: Augmentation = field(default_factory=Augmentation)


def train(
    patches: Patches, recipe: Recipe, done: Callable[[float], object] = lambda loss: None
) -> keras.Model:
    """Return a network trained on the patches; `done` is told the loss of every step."""
    keras.utils.set_random_seed(recipe.seed)
    rng = np.random.default_rng(recipe.seed)
    network = build()
    schedule = keras.optimizers.schedules.CosineDecay(
        0.0, recipe.steps, warmup_target=recipe.rate, warmup_steps=recipe.steps // 20
    )
    optimizer = keras.optimizers.AdamW(
        schedule, weight_decay=recipe.decay, use_ema=True, ema_momentum=recipe.average
    )
    network.compile(optimizer, loss=masked_loss)
    weights = _weights(patches)
    for _ in range(recipe.steps):
        chosen = rng.choice(len(patches), recipe.batch, p=weights)
        images, targets = _batch(patches, chosen, recipe, rng)
        done(float(network.train_on_batch(images, targets)))
    optimizer.finalize_variable_values(network.trainable_variables)
    _reestimate_statistics(network, patches, weights, recipe, rng)
    return network


def masked_loss(targets: object, logits: object) -> object:
    """Cross entropy of both logits; a hidden eye is neither open nor closed.

    `targets` are float32 [n, 2]: open, and seen.
    """
    both = keras.ops.binary_crossentropy(targets, logits, from_logits=True)
    return keras.ops.mean(both[:, 0] * targets[:, 1] + 0.5 * both[:, 1])  # type: ignore[index]


def _weights(patches: Patches) -> npt.NDArray[np.float64]:
    """Return the probability of each patch: sources alike, and in each open as often as closed."""
    weights = np.zeros(len(patches))
    for source in SPANS:
        for state in (False, True):
            mine = (patches.source == source) & ((patches.opened >= 0.5) == state)
            if mine.any():
                weights[mine] = 1 / mine.sum()
    return weights / weights.sum()


def _batch(
    patches: Patches, chosen: npt.NDArray[np.int64], recipe: Recipe, rng: np.random.Generator
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    views, targets = [], []
    for index in chosen:
        view, seen = augmented(
            patches.images[index], SPANS[patches.source[index]], recipe.augmentation, rng
        )
        views.append(view)
        opened = np.clip(patches.opened[index], recipe.smoothing, 1 - recipe.smoothing)
        targets.append((opened, float(seen)))
    return to_input(np.stack(views)), np.array(targets, np.float32)


def to_input(crops: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """Scale bytes [n, h, w] to the network's float32 [n, h, w, 1] in [-1, 1]."""
    return crops[..., np.newaxis].astype(np.float32) / np.float32(127.5) - np.float32(1)


def logits(network: keras.Model, crops: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """Return logits float32 [n, 2] of crops uint8 [n, h, w]."""
    parts = [
        np.asarray(network.predict_on_batch(to_input(crops[start : start + 512])), np.float32)
        for start in range(0, len(crops), 512)
    ]
    return np.concatenate(parts)


def _reestimate_statistics(
    network: keras.Model,
    patches: Patches,
    weights: npt.NDArray[np.float64],
    recipe: Recipe,
    rng: np.random.Generator,
) -> None:
    """Measure BatchNorm's means and variances again: those kept belong to no average of weights."""
    for _ in range(100):
        chosen = rng.choice(len(patches), recipe.batch, p=weights)
        network(_batch(patches, chosen, recipe, rng)[0], training=True)
