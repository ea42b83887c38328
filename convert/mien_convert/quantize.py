"""Full int8 quantization of a float TFLite network: ranges, bias correction, rounded weights.

Used in the worker process only. convert/mien_convert/RESULTS.md has what was measured.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from mien.classification.preprocess import normalize
from mien.errors import UserError

from mien_convert.tflite_graph import CONV, DENSE, DEPTHWISE, Layer, Network
from mien_convert.tflite_runner import interpreter, logits

Faces = npt.NDArray[np.uint8]  # [n, S, S]
Mean = npt.NDArray[np.float64]

WEIGHT_LEVELS = 127  # int8 weights are -127 to 127

# Quantile over the calibration faces of their largest and smallest activation, which a range
# covers. Rare faces beyond are clipped a little, and all others get finer steps.
RANGE_QUANTILE = 0.95


@dataclass(frozen=True)
class Statistics:
    """Activation statistics of the float network on calibration faces, by tensor index."""

    ranges: dict[int, tuple[float, float]]  # least and largest value of an activation
    inputs: dict[int, Mean]  # of a layer's weights: mean of the input under each weight


def to_int8(float32: bytes, calibration: Faces) -> bytes:
    """Quantize a float network [1, S, S, 1] to [1, 7]; `calibration` is uint8 [n, S, S].

    Weights become int8 per output channel, activations int8 per tensor with the range that the
    calibration faces show, the input uint8, the output int8. The input's range is [-1, 1]
    whatever the faces show, so that a pixel's byte is its quantised value to half a step.
    Raises UserError where an operation has no int8 form.
    """
    int8 = quantize(*calibrate(float32, calibration))
    refuse_floats(int8)
    return int8


def calibrate(float32: bytes, calibration: Faces) -> tuple[bytes, Statistics]:
    """Return what `quantize` takes: the float network, its logits centered, and its statistics.

    What int8 shifts the mean logits of the calibration faces by is taken off the last bias, so
    that no class gains at the cost of another.
    """
    statistics = measure(float32, calibration)
    network = Network(float32)
    last = network.layers()[-1]
    if last.bias < 0 or [last.target] != network.outputs:
        return float32, statistics
    exact, coarse = (
        logits(float32, calibration),
        logits(quantize(float32, statistics), calibration),
    )
    shift = (exact - coarse).mean(axis=0)
    network.set_values(last.bias, network.values(last.bias) + shift)
    return network.to_bytes(), statistics


def quantize(float32: bytes, statistics: Statistics) -> bytes:
    """Quantize by measured statistics."""
    import tensorflow as tf
    from tensorflow.lite.python.convert import mlir_quantize

    network = Network(float32)
    for layer in network.layers():
        correct_bias(network, layer, statistics.inputs[layer.weights])
    for tensor, (low, high) in statistics.ranges.items():
        network.set_range(tensor, low, high)
    network.set_range(network.input, -1.0, 1.0)
    # What TFLiteConverter itself calls after its calibration, which leaves no range to choose.
    return bytes(
        mlir_quantize(
            network.to_bytes(),
            input_data_type=tf.uint8,
            output_data_type=tf.int8,
        )
    )


def measure(float32: bytes, faces: Faces, quantile: float = RANGE_QUANTILE) -> Statistics:
    """Return the activation statistics of the float network on gray pictures uint8 [n, H, W]."""
    network = Network(float32)
    runner = interpreter(float32, experimental_preserve_all_tensors=True)
    activations, layers = network.activations(), network.layers()
    extremes = np.empty((len(faces), len(activations), 2))
    shapes = {layer.weights: network.values(layer.weights).shape for layer in layers}
    sums: dict[int, Mean] = {weights: np.zeros(1) for weights in shapes}
    for index, face in enumerate(faces):
        runner.set_tensor(network.input, normalize(face[np.newaxis]))
        runner.invoke()
        for place, tensor in enumerate(activations):
            values = runner.get_tensor(tensor)
            extremes[index, place] = values.min(), values.max()
        for layer in layers:
            mean = mean_input(runner.get_tensor(layer.source), layer, shapes[layer.weights])
            sums[layer.weights] = sums[layer.weights] + mean
    low = np.quantile(extremes[..., 0], 1 - quantile, axis=0)
    high = np.quantile(extremes[..., 1], quantile, axis=0)
    # Outputs are never clipped: it is the surest faces that have the largest logits.
    for place in (activations.index(tensor) for tensor in network.outputs):
        low[place], high[place] = extremes[:, place, 0].min(), extremes[:, place, 1].max()
    return Statistics(
        ranges={
            tensor: (min(0.0, float(low[place])), max(0.0, float(high[place])))
            for place, tensor in enumerate(activations)
        },
        inputs={weights: total / len(faces) for weights, total in sums.items()},
    )


def mean_input(values: npt.NDArray[np.float32], layer: Layer, shape: tuple[int, ...]) -> Mean:
    """Return the mean input under each weight of one output: [inputs] or [rows, columns, inputs].

    `values` is the layer's input, float32 [1, ...]; `shape` that of its weights.
    """
    if layer.kind == DENSE:
        return np.asarray(values.reshape(-1, shape[-1]).mean(axis=0), np.float64)
    picture, sides, outputs = values[0], shape[1:3], []
    for axis, (side, step) in enumerate(zip(sides, layer.stride, strict=True)):
        size = picture.shape[axis]
        count = -(-size // step) if layer.same else (size - side) // step + 1
        missing = max(0, (count - 1) * step + side - size) if layer.same else 0
        padding = [(0, 0)] * 3
        padding[axis] = (missing // 2, missing - missing // 2)
        picture = np.pad(picture, padding)
        outputs.append(count)
    mean = np.empty((*sides, picture.shape[-1]))
    for row in range(sides[0]):
        for column in range(sides[1]):
            under = picture[row :: layer.stride[0], column :: layer.stride[1]]
            mean[row, column] = under[: outputs[0], : outputs[1]].mean(axis=(0, 1))
    return mean


def correct_bias(network: Network, layer: Layer, mean: Mean) -> None:
    """Add to a layer's bias what rounding its weights takes from its mean output.

    Rounding errors of weights that nearly cancel (an edge filter with a large BatchNorm gain over a
    nearly constant input) do not cancel themselves and shift the whole channel. Bias correction
    after Nagel et al., "Data-Free Quantization Through Weight Equalization and Bias Correction",
    ICCV 2019, section 4.2, with the mean inputs measured.
    """
    if layer.bias < 0:
        return
    weights = network.values(layer.weights)
    axes = {CONV: "ohwi,hwi->o", DEPTHWISE: "ohwi,hwi->i", DENSE: "oi,i->o"}[layer.kind]
    shift = np.einsum(axes, weights - rounded(weights, layer), mean)
    network.set_values(layer.bias, network.values(layer.bias) + shift)


def rounded(weights: npt.NDArray[np.float32], layer: Layer) -> npt.NDArray[np.float64]:
    """Return weights as int8 will hold them: symmetric, a scale per output channel."""
    channel = weights.ndim - 1 if layer.kind == DEPTHWISE else 0
    others = tuple(axis for axis in range(weights.ndim) if axis != channel)
    scale = np.abs(weights).max(axis=others, keepdims=True).astype(np.float64) / WEIGHT_LEVELS
    scale[scale == 0] = 1
    return np.asarray(np.round(weights / scale) * scale, np.float64)


def refuse_floats(int8: bytes) -> None:
    """Raise UserError where part of the network has stayed in floating point."""
    runner = interpreter(int8)
    names = [d["name"] for d in runner.get_tensor_details() if d["dtype"] == np.float32]
    if names:
        raise UserError(
            f"the network cannot be made int8 throughout ({names[0]} stays float32); train the "
            "network of mien-train fit."
        )
