"""Single-shot face detector: depthwise-separable backbone, feature pyramid, anchor-free heads.

The design follows YuNet (Wu et al., "YuNet: A Tiny Millisecond-level Face Detector", 2023): three
levels of cells at strides 8, 16 and 32; each cell gives one score, one box and five landmarks.
"""

from __future__ import annotations

import math

import keras
from keras import layers

from mien_train.classifier.batchnorm import FusedBatchNormalization
from mien_train.detector.cells import STRIDES

# Where the heads begin: most cells see no face; a face has 2.5 strides and its marks lie within.
SCORE_BIAS = -4.6
BOX_BIAS = (0.0, 0.0, 0.9, 0.9)
WIDTHS = (16, 32, 64, 96, 128)  # channels at strides 2, 4, 8, 16, 32
BLOCKS = (2, 3, 3, 2)  # separable blocks behind the first of each stride from 4 to 32
NECK = 64  # channels of the feature pyramid and of the heads


def build_detector(height: int = 240, width: int = 320) -> keras.Model:
    """The network for pictures of one size; its weights fit every size.

    Input ``float32 [n, height, width, 1]``, gray, ``v / 127.5 - 1``. Outputs, a dict with cells in
    the order of `cell_centers`: ``scores`` (logits) ``[n, cells, 1]``, ``boxes`` ``[n, cells, 4]``
    and ``landmarks`` ``[n, cells, 10]``, both as `mien_train.detector.targets` encodes them.

    Raises:
        ValueError: ``height`` or ``width`` is not a multiple of 16.
    """
    if height % 16 or width % 16:
        raise ValueError(f"the input must be a multiple of 16, got {width}x{height}")
    image = layers.Input((height, width, 1), name="image")
    x = layers.Conv2D(WIDTHS[0], 3, strides=2, padding="same", use_bias=False, name="stem")(image)
    x = _normalized(x, "stem")
    levels = []
    for stage, (channels, blocks) in enumerate(zip(WIDTHS[1:], BLOCKS, strict=True)):
        x = _separable(_even(x, f"down{stage}"), channels, f"down{stage}", strides=2)
        for block in range(blocks):
            x = _residual(x, f"block{stage}_{block}")
        levels.append(x)
    features = _pyramid(levels[1:])
    heads = (("scores", 1, SCORE_BIAS), ("boxes", 4, BOX_BIAS), ("landmarks", 10, 0.0))
    outputs: dict[str, list[keras.KerasTensor]] = {"scores": [], "boxes": [], "landmarks": []}
    for stride, feature in zip(STRIDES, features, strict=True):
        feature = _separable(feature, NECK, f"head{stride}")
        for name, size, bias in heads:
            y = layers.Conv2D(
                size,
                1,
                kernel_initializer=keras.initializers.RandomNormal(stddev=0.01),
                bias_initializer=keras.initializers.Constant(bias),
                name=f"{name}{stride}",
            )(feature)
            outputs[name].append(layers.Reshape((-1, size), name=f"flat_{name}{stride}")(y))
    return keras.Model(
        image,
        {name: layers.Concatenate(axis=1, name=name)(parts) for name, parts in outputs.items()},
        name="face_detector",
    )


def multiply_adds(model: keras.Model) -> int:
    """Multiply-adds of the convolutions of one picture."""
    total = 0
    for layer in model.layers:
        if isinstance(layer, layers.DepthwiseConv2D | layers.Conv2D):
            total += math.prod(layer.output.shape[1:3]) * math.prod(layer.kernel.shape)
    return total


def _normalized(x: keras.KerasTensor, name: str) -> keras.KerasTensor:
    x = FusedBatchNormalization(momentum=0.97, epsilon=1e-3, name=f"{name}_bn")(x)
    return layers.ReLU(6.0, name=f"{name}_relu")(x)


def _depthwise_pointwise(
    x: keras.KerasTensor, channels: int, name: str, strides: int
) -> keras.KerasTensor:
    x = layers.DepthwiseConv2D(3, strides, "same", use_bias=False, name=f"{name}_dw")(x)
    return layers.Conv2D(channels, 1, use_bias=False, name=f"{name}_pw")(x)


def _separable(
    x: keras.KerasTensor, channels: int, name: str, strides: int = 1
) -> keras.KerasTensor:
    return _normalized(_depthwise_pointwise(x, channels, name, strides), name)


def _residual(x: keras.KerasTensor, name: str) -> keras.KerasTensor:
    y = _depthwise_pointwise(x, x.shape[-1], name, 1)
    y = FusedBatchNormalization(momentum=0.97, epsilon=1e-3, name=f"{name}_bn")(y)
    return layers.ReLU(6.0, name=f"{name}_relu")(layers.Add(name=f"{name}_add")([x, y]))


def _even(x: keras.KerasTensor, name: str) -> keras.KerasTensor:
    """``x`` with an even number of rows and columns.

    "Same" padding puts an odd map's cells elsewhere than an even map's: weights learnt at 320x240
    would be half a cell off at 640x480.
    """
    odd = (x.shape[1] % 2, x.shape[2] % 2)
    if not any(odd):
        return x
    return layers.ZeroPadding2D(((0, odd[0]), (0, odd[1])), name=f"{name}_pad")(x)


def _pyramid(levels: list[keras.KerasTensor]) -> list[keras.KerasTensor]:
    """Top-down path: every level also gets what the coarser ones have seen."""
    features: list[keras.KerasTensor] = []
    for stride, level in reversed(list(zip(STRIDES, levels, strict=True))):
        x = layers.Conv2D(NECK, 1, use_bias=False, name=f"lateral{stride}")(level)
        x = FusedBatchNormalization(momentum=0.97, epsilon=1e-3, name=f"lateral{stride}_bn")(x)
        if features:
            above = layers.UpSampling2D(2, interpolation="bilinear", name=f"up{stride}")(
                features[0]
            )
            extra = (above.shape[1] - x.shape[1], above.shape[2] - x.shape[2])
            if any(extra):
                above = layers.Cropping2D(((0, extra[0]), (0, extra[1])), name=f"up{stride}_crop")(
                    above
                )
            x = layers.Add(name=f"merge{stride}")([x, above])
        features.insert(0, layers.ReLU(6.0, name=f"lateral{stride}_relu")(x))
    return features
