"""Training of the networks of eyes and mouths: augmented patches, every source as often."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from mien_train.eyes.augment import Augmentation, augmented
from mien_train.eyes.model import build
from mien_train.eyes.parts import Crops, Part
from mien_train.eyes.patches import Patches

STATISTICS_BATCHES = 50
Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Recipe:
    """How a network is trained."""

    steps: int = 4500
    batch: int = 128  # patches a step
    rate: float = 4e-3  # peak learning rate of AdamW, one cosine
    decay: float = 1e-3  # weight decay
    smoothing: float = 0.02  # of labels: some publishers' are wrong
    average: float = 0.998  # of weights, an exponential moving average
    seed: int = 7
    augmentation: Augmentation = field(default_factory=Augmentation)


# Hands, cups and masks hide mouths; nobody wears sunglasses there.
MOUTH_RECIPE = Recipe(steps=1500, augmentation=Augmentation(hidden=0.25, foreign=1.0))
RECIPES = {"eyes": Recipe(), "mouth": MOUTH_RECIPE}


def train(
    patches: Patches, part: Part, recipe: Recipe, done: Callable[[float], object]
) -> keras.Model:
    """Return a network trained on the patches; `done` is told the loss of every step."""
    keras.utils.set_random_seed(recipe.seed)
    rng = np.random.default_rng(recipe.seed)
    network = build(part.shape, part.name)
    schedule = keras.optimizers.schedules.CosineDecay(
        0.0, recipe.steps, warmup_target=recipe.rate, warmup_steps=recipe.steps // 20
    )
    optimizer = keras.optimizers.AdamW(
        schedule, weight_decay=recipe.decay, use_ema=True, ema_momentum=recipe.average
    )
    network.compile(optimizer, loss=masked_loss)
    odds = sampling(patches, part)
    for _ in range(recipe.steps):
        chosen = rng.choice(len(patches), recipe.batch, p=odds)
        done(float(network.train_on_batch(*_batch(patches, chosen, part, recipe, rng))))
    optimizer.finalize_variable_values(network.trainable_variables)
    # BatchNorm's statistics belong to the last weights, not to their average: measured again.
    for _ in range(STATISTICS_BATCHES):
        chosen = rng.choice(len(patches), recipe.batch, p=odds)
        network(_batch(patches, chosen, part, recipe, rng)[0], training=True)
    return network


def masked_loss(targets: Any, logits: Any) -> Any:
    """Cross entropy of both logits; what is hidden is in neither state.

    `targets` are float32 [n, 2]: the state, and whether it is seen.
    """
    both = keras.ops.binary_crossentropy(targets, logits, from_logits=True)
    return keras.ops.mean(both[:, 0] * targets[:, 1] + 0.5 * both[:, 1])


def sampling(patches: Patches, part: Part) -> npt.NDArray[np.float64]:
    """Return the probability of each patch: every source alike, in each both states alike."""
    odds = np.zeros(len(patches))
    for source in part.spans:
        for state in (False, True):
            mine = (patches.source == source) & ((patches.state >= 0.5) == state)
            odds[mine] = 1 / max(1, mine.sum())
    return np.asarray(odds / odds.sum())


def _batch(
    patches: Patches,
    chosen: npt.NDArray[np.int64],
    part: Part,
    recipe: Recipe,
    rng: np.random.Generator,
) -> tuple[Floats, Floats]:
    views, targets = [], []
    for index in chosen:
        span = part.spans[patches.source[index]]
        view, seen = augmented(patches.images[index], span, part.shape, recipe.augmentation, rng)
        views.append(view)
        state = np.clip(patches.state[index], recipe.smoothing, 1 - recipe.smoothing)
        targets.append((state, float(seen)))
    return to_input(np.stack(views)), np.array(targets, np.float32)


def to_input(views: Crops) -> Floats:
    """Scale bytes [n, h, w] to the network's float32 [n, h, w, 1] in [-1, 1]."""
    return views[..., np.newaxis].astype(np.float32) / np.float32(127.5) - np.float32(1)


def logits(network: keras.Model, views: Crops) -> Floats:
    """Return logits float32 [n, 2] of crops uint8 [n, h, w]."""
    parts = [
        np.asarray(network.predict_on_batch(to_input(views[start : start + 512])), np.float32)
        for start in range(0, len(views), 512)
    ]
    return np.concatenate(parts)
