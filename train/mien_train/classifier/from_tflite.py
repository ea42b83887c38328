"""Trainable network from an int8 model file.

Training can go on from a shipped model where the float network was not kept.
"""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import keras
import numpy as np
from mien.errors import UserError

from mien_train.classifier.batchnorm import plain
from mien_train.classifier.model import STEM, build
from mien_train.classifier.predict import inputs
from mien_train.classifier.recipe import Recipe

CONV, DEPTHWISE, DENSE = 3, 4, 9  # tensorflow/compiler/mlir/lite/schema/schema.fbs
BATCH_FACES = 32  # all layers' outputs of a face stay in memory, 14 MB at 48 px

# Euclidean norm of a channel's kernel: the median in Keras' ImageNet weights. BatchNorm takes any
# norm back, but a step of the optimizer is large or small by it.
NORMS = {"expand": 0.25, "depthwise": 1.4, "project": 4.0}
OTHER_NORM = 2.0  # of the first and the last convolution


def unpack(path: Path, faces: np.ndarray) -> keras.Model:
    """Return the network of a model file, weights ``w = scale * q``, as
    `mien_train.classifier.model.build` does.

    ``faces`` (uint8 [n, s, s], some hundred, mixed) are what every BatchNorm's statistics are taken
    from: a model file has BatchNorm folded into the convolutions (Jacob et al., "Quantization and
    Training of Neural Networks", 2018, section 3.2), and this takes the folding back, so that
    inference gives the file's function and training starts from statistics that fit it.
    Raises UserError where the file is no int8 model of a MobileNetV2.
    """
    recipe = metadata(path)["training"].get("recipe") or {}
    known = {key: recipe.get(key, getattr(Recipe(), key)) for key in ("size", "alpha")}
    network = build(**known, stem_stride=recipe.get("stem_stride", 1), weights=None)
    folded = _weights(path)
    layers = [la for la in network.layers if _kind(la) in (CONV, DEPTHWISE, DENSE)]
    shapes = [la.get_weights()[0].shape for la in layers]
    if [values.shape for values, _ in folded] != shapes:
        raise UserError(
            f"{path} does not hold the network that its metadata tell of: "
            "give a model file that mien-convert made of a mien-train run."
        )
    for layer, (kernel, bias) in zip(layers, folded, strict=True):
        if isinstance(layer, keras.layers.Dense):
            layer.set_weights([kernel, bias])
            continue
        norm = _norm_of(network, layer)
        scale = _scale(layer, kernel)
        layer.set_weights([kernel * scale])
        size = len(bias)
        # For now without effect: what the convolution is scaled by is taken back here.
        norm.set_weights(
            [
                np.full(size, 1.0) / scale.ravel(),
                bias,
                np.zeros(size),
                np.full(size, 1.0 - norm.epsilon),
            ]
        )
    _take_statistics(network, faces)
    return plain(network)


def _take_statistics(network: keras.Model, faces: np.ndarray) -> None:
    """Give every BatchNorm the mean and variance of its input; the network's function stays."""
    norms = [la for la in network.layers if isinstance(la, keras.layers.BatchNormalization)]
    inside = keras.Model(network.input, [norm.input for norm in norms])
    sums = [np.zeros((2, len(norm.get_weights()[0]))) for norm in norms]
    for start in range(0, len(faces), BATCH_FACES):
        part = inside.predict_on_batch(inputs(network, faces[start : start + BATCH_FACES]))
        for total, values in zip(sums, part, strict=True):
            flat = np.asarray(values, "float64").reshape(-1, values.shape[-1])
            total += len(part[0]) * np.stack([flat.mean(axis=0), (flat**2).mean(axis=0)])
    for norm, total in zip(norms, sums, strict=True):
        gain, shift = (values.astype("float64") for values in norm.get_weights()[:2])
        mean, square = total / len(faces)
        variance = np.maximum(square - mean**2, 0.0)
        norm.set_weights(
            [gain * np.sqrt(variance + norm.epsilon), shift + gain * mean, mean, variance]
        )


def _scale(layer: keras.Layer, kernel: np.ndarray) -> np.ndarray:
    """What to multiply each output channel by; it broadcasts over the kernel. Dead ones keep 1."""
    across = (0, 1) if _kind(layer) == DEPTHWISE else (0, 1, 2)
    norm = np.sqrt((kernel.astype("float64") ** 2).sum(axis=across, keepdims=True))
    wanted = next((value for key, value in NORMS.items() if key in layer.name), OTHER_NORM)
    return np.where(norm > 1e-6, wanted / np.maximum(norm, 1e-6), 1.0)


def _norm_of(network: keras.Model, layer: keras.Layer) -> keras.layers.BatchNormalization:
    """The BatchNorm behind a convolution, by Keras' names for MobileNetV2's layers."""
    name = {STEM: "bn_Conv1", "Conv_1": "Conv_1_bn"}.get(layer.name, f"{layer.name}_BN")
    return network.get_layer(name)


def _kind(layer: keras.Layer) -> int | None:
    if isinstance(layer, keras.layers.DepthwiseConv2D):
        return DEPTHWISE
    if isinstance(layer, keras.layers.Conv2D):
        return CONV
    return DENSE if isinstance(layer, keras.layers.Dense) else None


def metadata(path: Path) -> dict[str, Any]:
    """Return the metadata of a model file. Raises UserError where it has none."""
    if not path.is_file():
        raise UserError(f"there is no {path}: give a model file (.tflite) of mien-convert.")
    try:
        with zipfile.ZipFile(path) as archive:
            found = json.loads(archive.read("metadata.json"))
        return {**found, "training": dict(found["training"])}
    except (zipfile.BadZipFile, KeyError, ValueError, TypeError) as error:
        raise UserError(
            f"{path} is no model file of Mien's: give a .tflite that mien-convert made."
        ) from error


def _weights(path: Path) -> list[tuple[np.ndarray, np.ndarray]]:
    """Kernel and bias of every layer in the order of computation, in Keras' order of axes."""
    from tensorflow.lite.tools import flatbuffer_utils

    # What is appended behind the flatbuffer is ignored.
    model = flatbuffer_utils.convert_bytearray_to_object(bytearray(path.read_bytes()))
    graph = model.subgraphs[0]
    found = []
    for operator in graph.operators:
        code = model.operatorCodes[operator.opcodeIndex]
        kind = max(code.builtinCode, code.deprecatedBuiltinCode)
        if kind not in (CONV, DEPTHWISE, DENSE):
            continue
        kernel, bias = (_values(model, graph.tensors[int(t)], path) for t in operator.inputs[1:3])
        axes = {CONV: (1, 2, 3, 0), DEPTHWISE: (1, 2, 3, 0), DENSE: (1, 0)}[kind]
        found.append((kernel.transpose(axes), bias))
    return found


def _values(model: Any, tensor: Any, path: Path) -> np.ndarray:
    """A constant's values, float64: its int8 or int32 numbers times their scales."""
    quantized = tensor.quantization
    data = model.buffers[tensor.buffer].data
    kind = {9: np.int8, 2: np.int32}.get(tensor.type)  # enum TensorType: INT8, INT32
    if kind is None or data is None or quantized is None or quantized.scale is None:
        raise UserError(f"{path} is not int8 throughout: give a model file of mien-convert.")
    values = np.frombuffer(bytes(data), kind).reshape(tensor.shape).astype("float64")
    scale = np.asarray(quantized.scale, "float64")
    along = [1] * values.ndim
    along[quantized.quantizedDimension] = len(scale)
    return np.asarray(values * scale.reshape(along))
