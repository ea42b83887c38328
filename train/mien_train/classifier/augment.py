"""Random changes to a batch of faces, computed by the backend that trains."""

from __future__ import annotations

import math
from typing import Any

import keras
from keras import ops

from mien_train.classifier.recipe import Augmentation

MAX_BLUR_PX = 1.5  # px of a face of 48 px, standard deviation
SMALL_PX = (16, 24)  # px of a face of 48 px: sides to which faces are reduced
MIN_LIGHT = 0.2  # of the light that the picture has
MAX_NOISE = 20.0  # gray levels, standard deviation


class Augment(keras.layers.Layer):
    """Gray bytes to the network's input, changed at random.

    Input ``uint8 or float [n, h, w]`` in 0..255 and targets ``float32 [n, k]``; output
    ``float32 [n, size, size, 1]`` in [-1, 1] and targets ``float32 [n, k]``. Without ``training``
    it only scales and resizes. Mixing follows Zhang et al., "mixup" (2018), with a weight drawn
    evenly from [0, 0.5]; erasing Zhong et al., "Random Erasing" (2020).
    """

    def __init__(self, size: int, amounts: Augmentation, seed: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.size = size
        self.amounts = amounts
        self.seed_generator = keras.random.SeedGenerator(seed)

    def _uniform(self, n: Any, low: float, high: float) -> Any:
        return keras.random.uniform((n,), low, high, seed=self.seed_generator)

    def call(self, images: Any, targets: Any, training: bool = False) -> Any:
        """See the class; shapes there."""
        x = ops.expand_dims(ops.cast(images, "float32"), -1) / 127.5 - 1.0
        if training:
            x = self._geometry(x)
        if x.shape[1] != self.size:
            x = ops.image.resize(x, (self.size, self.size), antialias=True)
        if not training:
            return x, targets
        x = self._light(x)
        if self.amounts.degrade:
            x = self._degrade(x)
        x = self._erase(x)
        return self._mix(x, targets)

    def _geometry(self, x: Any) -> Any:
        """Flip, rotate, zoom and shift about the center, all in one resampling."""
        a = self.amounts
        n, side = ops.shape(x)[0], x.shape[1]
        angle = self._uniform(n, -a.rotate, a.rotate) * (3.14159265 / 180.0)
        scale = 1.0 + self._uniform(n, -a.zoom, a.zoom)
        flip = ops.where(self._uniform(n, 0.0, 1.0) < 0.5, -1.0, 1.0)
        cos, sin = ops.cos(angle) * scale, ops.sin(angle) * scale
        center = (side - 1) / 2.0
        shift_x = center + self._uniform(n, -a.shift, a.shift) * side
        shift_y = center + self._uniform(n, -a.shift, a.shift) * side
        # Output pixel -> input pixel: rotate about the center after an optional mirror.
        a0, a1 = cos * flip, -sin
        b0, b1 = sin * flip, cos
        zero = ops.zeros_like(cos)
        rows = [
            a0,
            a1,
            shift_x - (a0 + a1) * center,
            b0,
            b1,
            shift_y - (b0 + b1) * center,
            zero,
            zero,
        ]
        return ops.image.affine_transform(
            x, ops.stack(rows, axis=1), interpolation="bilinear", fill_mode="nearest"
        )

    def _light(self, x: Any) -> Any:
        """Contrast about each picture's mean, and brightness."""
        n = ops.shape(x)[0]
        gain = ops.reshape(
            1.0 + self._uniform(n, -self.amounts.contrast, self.amounts.contrast), (-1, 1, 1, 1)
        )
        bias = ops.reshape(
            self._uniform(n, -self.amounts.brightness, self.amounts.brightness), (-1, 1, 1, 1)
        )
        mean = ops.mean(x, axis=(1, 2, 3), keepdims=True)
        return ops.clip((x - mean) * gain + mean + bias, -1.0, 1.0)

    def _degrade(self, x: Any) -> Any:
        """Few pixels, blur, less light, and noise: what cameras do to faces in videos."""
        n, side = ops.shape(x)[0], x.shape[1]
        for pixels in SMALL_PX:
            reduced = (pixels * side // 48, pixels * side // 48)
            small = ops.image.resize(x, reduced, antialias=True)
            share = self.amounts.degrade / len(SMALL_PX)
            chosen = ops.reshape(self._uniform(n, 0.0, 1.0) < share, (-1, 1, 1, 1))
            x = ops.where(chosen, ops.image.resize(small, (side, side)), x)

        def draw(low: float, high: float, otherwise: float) -> Any:
            chosen = self._uniform(n, 0.0, 1.0) < self.amounts.degrade
            value = ops.where(chosen, self._uniform(n, low, high), otherwise)
            return ops.reshape(value, (-1, 1, 1, 1))

        sigma = draw(0.2, MAX_BLUR_PX * side / 48.0, 0.01)
        reach = math.ceil(2 * MAX_BLUR_PX * side / 48.0)
        weights = [ops.exp(-0.5 * (k / sigma) ** 2) for k in range(reach + 1)]
        total = weights[0] + 2.0 * sum(weights[1:])
        for axis in (1, 2):
            padding = [[0, 0]] * 4
            padding[axis] = [reach, reach]
            wide = ops.pad(x, padding, mode="symmetric")
            shifted = [ops.take(wide, range(k, k + side), axis=axis) for k in range(2 * reach + 1)]
            x = sum(weights[abs(k - reach)] * part for k, part in enumerate(shifted)) / total
        x = (x + 1.0) * ops.exp(draw(math.log(MIN_LIGHT), 0.0, 0.0)) - 1.0
        noise = keras.random.normal(ops.shape(x), seed=self.seed_generator)
        return ops.clip(x + noise * draw(0.0, MAX_NOISE / 127.5, 0.0), -1.0, 1.0)

    def _erase(self, x: Any) -> Any:
        """A rectangle of a fifth to half the side, at random, replaced by noise."""
        n = ops.shape(x)[0]
        at = ops.reshape(ops.arange(self.size, dtype="float32") / self.size, (1, -1))
        masks = []
        for _ in range(2):
            length = ops.reshape(self._uniform(n, 0.2, 0.5), (-1, 1))
            start = ops.reshape(self._uniform(n, 0.0, 1.0), (-1, 1)) - length / 2.0
            masks.append(ops.logical_and(at >= start, at < start + length))
        chosen = ops.reshape(self._uniform(n, 0.0, 1.0) < self.amounts.erase, (-1, 1, 1, 1))
        mask = ops.logical_and(masks[0][:, :, None, None], masks[1][:, None, :, None])
        noise = keras.random.uniform(ops.shape(x), -1.0, 1.0, seed=self.seed_generator)
        return ops.where(ops.logical_and(mask, chosen), noise, x)

    def _mix(self, x: Any, targets: Any) -> Any:
        """Each face with the one before it in the (shuffled) batch."""
        n = ops.shape(x)[0]
        weight = self._uniform(n, 0.0, 0.5)
        weight = ops.where(self._uniform(n, 0.0, 1.0) < self.amounts.mixup, weight, 0.0)
        wide, flat = ops.reshape(weight, (-1, 1, 1, 1)), ops.reshape(weight, (-1, 1))
        x = x * (1.0 - wide) + ops.roll(x, 1, axis=0) * wide
        targets = targets * (1.0 - flat) + ops.roll(targets, 1, axis=0) * flat
        return x, targets
