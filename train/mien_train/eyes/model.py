"""The eye network: a small depthwise-separable network (Howard et al., "MobileNets", 2017).

Input `float32 [n, 24, 40, 1]`, gray in [-1, 1] (`v / 127.5 - 1`); output two logits
`float32 [n, 2]`: that the eye is open, and that it can be seen at all.
"""

from __future__ import annotations

import keras
from mien.alertness.crop import HEIGHT, WIDTH

STEM = 16
# Channels and stride of each block; the maps are 12x20, 12x20, 6x10, 6x10, 3x5.
BLOCKS = ((24, 1), (32, 2), (48, 1), (64, 2))
MOMENTUM = 0.95  # of BatchNorm: some thousand steps in all


def build() -> keras.Model:
    """Return the network with random weights."""
    gray = keras.Input((HEIGHT, WIDTH, 1), name="gray")
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
    # One weight per place and channel: where a lid is matters, so the map is not averaged.
    x = keras.layers.DepthwiseConv2D((3, 5), use_bias=False, name="places")(x)
    x = keras.layers.Flatten(name="features")(_activated(x))
    x = keras.layers.Dropout(0.1, name="dropout")(x)
    return keras.Model(gray, keras.layers.Dense(2, name="logits")(x), name="eyes")


def _activated(x: object) -> object:
    x = keras.layers.BatchNormalization(momentum=MOMENTUM)(x)
    return keras.layers.ReLU(6.0)(x)
