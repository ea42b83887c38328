"""The networks of eyes and mouths: small and depthwise-separable.

After Howard et al., "MobileNets: Efficient Convolutional Neural Networks for Mobile Vision
Applications", 2017. Input `float32 [n, h, w, 1]`, gray in [-1, 1] (`v / 127.5 - 1`); output two
logits `float32 [n, 2]`: the state (the eye is open, or the mouth yawns), and that it can be seen.
"""

from __future__ import annotations

from typing import Any

import keras
from mien.alertness.crop import CropShape

STEM = 16  # channels of the first convolution, stride 2
BLOCKS = ((32, 1), (48, 2), (64, 1), (96, 2))  # channels and stride
MOMENTUM = 0.95  # of BatchNorm: some thousand steps in all


def build(shape: CropShape, name: str) -> keras.Model:
    """Return the network for crops of a shape, with random weights."""
    gray = keras.Input((shape.height, shape.width, 1), name="gray")
    x = _activated(
        keras.layers.Conv2D(STEM, 3, strides=2, padding="same", use_bias=False, name="stem")(gray)
    )
    for number, (channels, stride) in enumerate(BLOCKS, 1):
        x = _activated(
            keras.layers.DepthwiseConv2D(
                3, strides=stride, padding="same", use_bias=False, name=f"depthwise_{number}"
            )(x)
        )
        x = _activated(
            keras.layers.Conv2D(channels, 1, use_bias=False, name=f"pointwise_{number}")(x)
        )
    # A weight for every place and channel: where a lid is matters, so the map is not averaged.
    x = keras.layers.DepthwiseConv2D(x.shape[1:3], use_bias=False, name="places")(x)
    x = keras.layers.Flatten(name="features")(_activated(x))
    x = keras.layers.Dropout(0.1, name="dropout")(x)
    return keras.Model(gray, keras.layers.Dense(2, name="logits")(x), name=name)


def _activated(x: Any) -> Any:
    return keras.layers.ReLU(6.0)(keras.layers.BatchNormalization(momentum=MOMENTUM)(x))
