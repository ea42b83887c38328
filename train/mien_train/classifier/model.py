"""MobileNetV2 for small gray faces: ImageNet weights, one input channel, stem stride 1 or 2."""

from __future__ import annotations

from pathlib import Path

import keras
from mien.errors import UserError

from mien_train.classifier.batchnorm import fused
from mien_train.classifier.predict import load_model

STEM = "Conv1"  # the name of the first convolution in keras.applications.MobileNetV2


def build(
    size: int = 48,
    alpha: float = 1.0,
    stem_stride: int = 1,
    weights: str | Path | None = "imagenet",
    classes: int = 7,
    dropout: float = 0.2,
    momentum: float = 0.9,
) -> keras.Model:
    """Build the network.

    Input ``float32 [n, size, size, 1]``, gray in [-1, 1] (``v / 127.5 - 1``); output logits
    ``float32 [n, classes]``.

    The gray network is the RGB one of ``keras.applications`` fed with gray in all three channels:
    the first kernel is summed over its input channels. With ``stem_stride=1`` everything behind
    the stem has the shapes and the cost of an input of twice the size. ``momentum`` is that of
    every BatchNorm: Keras' 0.999 never catches up in a schedule of some hundred steps.

    ``weights`` is ``"imagenet"`` (fetched by Keras), a file of MobileNetV2 weights without top,
    a ``.keras`` file of a network of the same kind (its head too), or None (random). Raises
    UserError for sizes, strides or weights that do not fit.
    """
    if stem_stride not in (1, 2):
        raise UserError(f"stem stride {stem_stride} is not possible: take 1 or 2.")
    if size < 32 // (3 - stem_stride) or size * (3 - stem_stride) % 2:
        raise UserError(f"input size {size} is too small or odd: take an even size, 32 to 224.")
    rgb_side = size * 2 if stem_stride == 1 else size
    earlier = Path(str(weights)) if str(weights).endswith(".keras") else None
    backbone = _backbone(rgb_side, alpha, None if earlier else weights)

    def clone(layer: keras.Layer) -> keras.Layer:
        if layer.name == STEM:
            strides = {"strides": (stem_stride, stem_stride)}
            return layer.__class__.from_config(layer.get_config() | strides)
        return fused(layer, momentum)

    gray = keras.Input((size, size, 1), name="gray")
    features = keras.models.clone_model(backbone, input_tensors=gray, clone_function=clone)
    for layer in features.layers:
        if isinstance(layer, keras.layers.InputLayer):
            continue
        values = backbone.get_layer(layer.name).get_weights()
        if layer.name == STEM:
            values = [values[0].sum(axis=2, keepdims=True)]
        layer.set_weights(values)
    x = keras.layers.GlobalAveragePooling2D(name="pool")(features.output)
    x = keras.layers.Dropout(dropout, name="dropout")(x)
    logits = keras.layers.Dense(classes, name="logits")(x)
    network = keras.Model(features.input, logits, name=f"mobilenetv2_{alpha:g}_{size}")
    if earlier is not None:
        _take_over(network, earlier)
    return network


def _take_over(network: keras.Model, earlier: Path) -> None:
    """Give ``network`` the weights of the .keras file ``earlier``."""
    values = load_model(earlier).get_weights()
    if [value.shape for value in values] != [w.shape for w in network.get_weights()]:
        raise UserError(
            f"{earlier} is another network than the one asked for: "
            "give the --alpha that it was trained with."
        )
    network.set_weights(values)


def resized(network: keras.Model, size: int) -> keras.Model:
    """A copy of a network of `build`, weights too, for ``float32 [n, size, size, 1]``."""
    copy = keras.models.clone_model(network, input_tensors=keras.Input((size, size, 1)))
    copy.set_weights(network.get_weights())
    return copy


def _backbone(side: int, alpha: float, weights: str | Path | None) -> keras.Model:
    """The RGB network without top for ``side`` pixels, its weights loaded."""
    if weights is not None and weights != "imagenet" and not Path(weights).is_file():
        raise UserError(f"no weights at {weights}: give a file, 'imagenet' or 'none'.")
    try:
        return keras.applications.MobileNetV2(
            input_shape=(side, side, 3),
            alpha=alpha,
            include_top=False,
            weights=None if weights is None else str(weights),
        )
    except Exception as error:  # Keras raises bare Exception where a download fails
        raise UserError(
            f"the weights {weights} do not load into MobileNetV2 with alpha {alpha:g} "
            f"({str(error).splitlines()[0]}): give the file that belongs to this alpha, or "
            "'imagenet' with a network at hand."
        ) from error
