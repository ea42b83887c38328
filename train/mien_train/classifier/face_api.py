"""face-api's expression network as a teacher: its published weights in a Keras network.

The network is that of the npm package `@vladmandic/face-api` (MIT license), a densely connected
stack of separable convolutions (Huang et al., "Densely Connected Convolutional Networks", 2017) for
color faces of 112 px. It learned from other faces than FER-2013's alone.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import keras
import numpy as np
from mien.errors import UserError

from mien_train.classifier import tfjs
from mien_train.data.labels import LABELS

SIDE = 112  # px of the network's input
MEAN_RGB = (122.782, 117.001, 104.298)  # gray levels that it subtracts
BLOCKS, CONVOLUTIONS = 4, 4  # each block halves the side with its first convolution
OUTPUTS = ("neutral", "happy", "sad", "angry", "fear", "disgust", "surprise")  # their order
TEMPERATURE = 4.0  # fitted to people's votes on PublicTest: 3.85
MANIFEST = "face_expression_model-weights_manifest.json"
WEIGHTS = "face_expression_model.bin"


def read_weights(folder: Path) -> dict[str, np.ndarray]:
    """Read the named weights, float32, of the package's folder ``model``.

    Raises UserError where the files are missing or damaged.
    """
    try:
        return tfjs.read_weights(json.loads((folder / MANIFEST).read_text()), folder)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"{folder} does not hold face-api's expression network ({error}): give the folder "
            f"'model' of the npm package @vladmandic/face-api, with {MANIFEST} and {WEIGHTS}."
        ) from error


def build(folder: Path, size: int = 48) -> keras.Model:
    """Build the network from the package's folder ``model``.

    Input ``float32 [n, size, size, 1]``, gray in [-1, 1]; output logits ``float32 [n, 7]`` in the
    order of LABELS, divided by TEMPERATURE: by itself it is far too sure.
    Raises UserError where the files are missing or damaged.
    """
    weights = read_weights(folder)
    values: list[np.ndarray] = []  # in the order of the layers

    def convolution(x: Any, name: str, stride: int) -> Any:
        plain = f"{name}/filters" in weights
        parts: tuple[str, ...] = ("filters",) if plain else ("depthwise_filter", "pointwise_filter")
        found = [weights[f"{name}/{part}"] for part in (*parts, "bias")]
        values.extend(found)
        kind = keras.layers.Conv2D if plain else keras.layers.SeparableConv2D
        return kind(len(found[-1]), 3, strides=stride, padding="same")(x)

    gray = keras.Input((size, size, 1), name="gray")
    x = keras.layers.Resizing(SIDE, SIDE)(gray)
    x = keras.layers.Concatenate()([x, x, x])
    x = keras.layers.Rescaling(0.5, [(127.5 - mean) / 255.0 for mean in MEAN_RGB])(x)
    for block in range(BLOCKS):
        x = total = keras.layers.ReLU()(convolution(x, f"dense{block}/conv0", 2))
        for index in range(1, CONVOLUTIONS):
            x = convolution(x, f"dense{block}/conv{index}", 1)
            total = keras.layers.Add()([total, x])
            x = keras.layers.ReLU()(total)
    x = keras.layers.GlobalAveragePooling2D()(x)
    order = [OUTPUTS.index(label) for label in LABELS]
    values += [weights[f"fc/{part}"][..., order] / TEMPERATURE for part in ("weights", "bias")]
    network = keras.Model(gray, keras.layers.Dense(len(LABELS), name="logits")(x), name="face_api")
    try:
        network.set_weights(values)
    except ValueError as error:
        raise UserError(
            f"{folder} holds another network than face-api's for expressions: give the folder "
            "'model' of the npm package @vladmandic/face-api."
        ) from error
    return network
