"""Trains and quantises the network behind the cascades, which says whether a place is a face."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from mien.classification.preprocess import normalize
from mien.detection.verifier import SIZE, standardised
from tqdm import tqdm

from mien_convert.face_networks.places import Floats, Places, Views
from mien_convert.quantize import to_int8
from mien_convert.tflite_runner import logits

BATCH = 256
PART = 1024  # views told at once
RATE = 3e-3  # of AdamW, from which a cosine falls
CALIBRATION = 400  # faces, and as many other places
# Blocks of a depthwise and a pointwise convolution: channels, stride.
BLOCKS = ((24, 1), (48, 2), (48, 1), (96, 2), (96, 1))
SHADOW, MOST_NOISE = 0.25, 12.0  # slope of the light, of its mean; gray levels
HIDDEN = 0.15  # share of the views of which an edge is hidden

# What a batch's views are before they are learnt from.
Change = Callable[[Views, np.random.Generator], Views]


@dataclass(frozen=True)
class Measured:
    """How a network does on places it was not trained on."""

    faces: int
    places: int  # without one
    missed: dict[float, float]  # log odds: share of the faces below
    mistaken: dict[float, float]  # and of the other places from there on


def build() -> Any:
    """Return the Keras network: standardised gray [n, SIZE, SIZE, 1] in [-1, 1] to log odds [n, 1].

    Separable convolutions (Howard et al., "MobileNets", 2017), 0.8 million multiplications. At the
    end each of the 4 x 4 places has weights of its own: where eyes and mouth are is what counts.
    """
    from keras import Input, Model, layers

    def normed(x: Any) -> Any:
        return layers.ReLU(6.0)(layers.BatchNormalization(momentum=0.95)(x))

    views = Input((SIZE, SIZE, 1))
    x = normed(layers.Conv2D(24, 3, 2, "same", use_bias=False)(views))
    for channels, stride in BLOCKS:
        y = normed(layers.DepthwiseConv2D(3, stride, "same", use_bias=False)(x))
        y = normed(layers.Conv2D(channels, 1, use_bias=False)(y))
        x = layers.Add()([x, y]) if stride == 1 else y
    x = normed(layers.DepthwiseConv2D(SIZE // 8, use_bias=False)(x))
    x = layers.Dropout(0.2)(layers.Flatten()(x))
    return Model(views, layers.Dense(1)(x), name="faceness")


def train(
    network: Any,
    places: Places,
    epochs: int,
    seed: int,
    name: str,
    rate: float = RATE,
    change: Change | None = None,
) -> None:
    """Train a network of `build`; `name` is what the progress bar says.

    `change` is what happens to a batch's views, `changed` if not given.
    """
    import keras

    views, faces = np.stack(places.views), np.array(places.faces)
    steps = epochs * (len(views) // BATCH)
    falling = keras.optimizers.schedules.CosineDecay(rate, steps)
    network.compile(
        keras.optimizers.AdamW(falling, weight_decay=0.01),
        keras.losses.BinaryCrossentropy(from_logits=True, label_smoothing=0.01),
    )
    # As if there were as many faces as other places.
    weights = np.where(faces, 0.5 / faces.mean(), 0.5 / (1 - faces.mean())).astype(np.float32)
    batches = _batches(views, np.random.default_rng([seed, 4]), change or changed)
    for _ in tqdm(range(steps), desc=name, disable=None):
        chosen, shown = next(batches)
        network.train_on_batch(
            _inputs(shown),
            faces[chosen, np.newaxis].astype(np.float32),
            sample_weight=weights[chosen],
        )


def odds(network: Any) -> Callable[[Views], Floats]:
    """Return a Keras network as what convert.places takes."""
    import tensorflow as tf

    signature = [tf.TensorSpec(network.input_shape)]
    run = tf.function(lambda x: network(x, training=False), input_signature=signature)

    def told(views: Views) -> Floats:
        parts = [views[start : start + PART] for start in range(0, len(views), PART)]
        return np.concatenate([run(_inputs(part)).numpy()[:, 0] for part in parts])

    return told


def quantised(network: Any, places: Places) -> bytes:
    """Return the network as an int8 flatbuffer, uint8 [1, s, s, 1] to int8 [1, 1]."""
    import keras
    import tensorflow as tf

    one = keras.Input(network.input_shape[1:], batch_size=1)
    model = keras.Model(one, network(one, training=False))
    float32 = tf.lite.TFLiteConverter.from_keras_model(model).convert()
    faces = np.array(places.faces)
    chosen = [np.flatnonzero(faces == face)[:CALIBRATION] for face in (True, False)]
    return to_int8(float32, _standardised(np.stack(places.views)[np.concatenate(chosen)]))


def measure(int8: bytes, places: Places, levels: tuple[float, ...]) -> Measured:
    """Measure an int8 network at some levels of its log odds."""
    faces = np.array(places.faces)
    found = logits(int8, _standardised(np.stack(places.views)))[:, 0]
    return Measured(
        faces=int(faces.sum()),
        places=int((~faces).sum()),
        missed={level: float((found[faces] < level).mean()) for level in levels},
        mistaken={level: float((found[~faces] >= level).mean()) for level in levels},
    )


def _standardised(views: Views) -> Views:
    return np.stack([standardised(view) for view in views])


def _inputs(views: Views) -> Floats:
    return normalize(_standardised(views))


def _batches(
    views: Views, rng: np.random.Generator, change: Change
) -> Iterator[tuple[npt.NDArray[np.int64], Views]]:
    """Yield which views are a batch's, and them changed at random, for ever."""
    while True:
        order = rng.permutation(len(views))
        for start in range(0, len(order) - BATCH + 1, BATCH):
            chosen = order[start : start + BATCH]
            yield chosen, change(views[chosen], rng)


def changed(views: Views, rng: np.random.Generator) -> Views:
    """Return views mirrored, in a sensor's noise or another light, some with an edge hidden."""
    size = views.shape[1]
    mirrored = views[:, :, ::-1] if rng.random() < 0.5 else views
    shown: Floats = mirrored.astype(np.float32)
    kind = int(rng.integers(3))
    if kind == 0:
        shown += np.float32(rng.uniform(0, MOST_NOISE)) * rng.standard_normal(
            shown.shape, np.float32
        )
    elif kind == 1:
        slope = np.linspace(-1, 1, size)
        across, down = rng.normal(0, SHADOW, (2, len(views), 1, 1))
        shown *= 1 + slope[None, None] * across + slope[None, :, None] * down
    for index in np.flatnonzero(rng.random(len(views)) < HIDDEN):
        turned = np.rot90(shown[index], int(rng.integers(4)))  # a view: written through
        turned[: int(rng.integers(size // 10, size // 4))] = rng.uniform(0, 255)
    return np.clip(shown, 0, 255).astype(np.uint8)
