"""A float TFLite network to full int8: ranges of activations, corrected biases, rounded weights.

Used in the converter's process only. What was tried and measured is in convert/RESULTS.md.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from convert.flatbuffer import CONV, DENSE, DEPTHWISE, Layer, Network
from convert.variants import interpreter, to_input
from edge.errors import UserError

Faces = npt.NDArray[np.uint8]  # [n, S, S]
Mean = npt.NDArray[np.float64]

LEVELS = 127  # weights are -127 to 127


@dataclass(frozen=True)
class Statistics:
    """What calibration faces cause inside the float network, by number of tensor."""

    ranges: dict[int, tuple[float, float]]  # least and largest value of an activation
    inputs: dict[int, Mean]  # of a layer's weights: mean of the input under each weight


def to_int8(float32: bytes, calibration: Faces) -> bytes:
    """Quantise a float network [1, S, S, 1] to [1, 7]; `calibration` is uint8 [n, S, S].

    Weights become int8 per output channel, activations int8 per tensor with the range that the
    calibration faces show, the input uint8, the output int8. The input's range is [-1, 1]
    whatever the faces show, so that a pixel's byte is its quantised value to half a step.
    Raises UserError where an operation has no int8 form.
    """
    import tensorflow as tf
    from tensorflow.lite.python.convert import mlir_quantize

    network = Network(float32)
    statistics = measure(float32, network, calibration)
    correct_biases(network, statistics)
    for tensor, (low, high) in statistics.ranges.items():
        network.set_range(tensor, low, high)
    network.set_range(network.input, -1.0, 1.0)
    # What TFLiteConverter itself calls behind its calibration, which cannot fix a range.
    int8 = bytes(
        mlir_quantize(network.to_bytes(), input_data_type=tf.uint8, output_data_type=tf.int8)
    )
    refuse_floats(int8)
    return int8


def measure(float32: bytes, network: Network, faces: Faces) -> Statistics:
    """Run the faces through the float network and collect what quantisation needs."""
    runner = interpreter(float32, experimental_preserve_all_tensors=True)
    activations, layers = network.activations(), network.layers()
    low = dict.fromkeys(activations, np.inf)
    high = dict.fromkeys(activations, -np.inf)
    shapes = {layer.weights: network.values(layer.weights).shape for layer in layers}
    sums: dict[int, Mean] = {weights: np.zeros(1) for weights in shapes}
    for face in faces:
        runner.set_tensor(network.input, to_input(face[np.newaxis]))
        runner.invoke()
        for tensor in activations:
            values = runner.get_tensor(tensor)
            low[tensor] = min(low[tensor], float(values.min()))
            high[tensor] = max(high[tensor], float(values.max()))
        for layer in layers:
            values = runner.get_tensor(layer.source)
            sums[layer.weights] = sums[layer.weights] + mean_input(
                values, layer, shapes[layer.weights]
            )
    return Statistics(
        ranges={tensor: (low[tensor], high[tensor]) for tensor in activations},
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


def correct_biases(network: Network, statistics: Statistics) -> None:
    """Add to each bias what rounding the weights takes from the layer's mean output.

    Rounding errors of weights that nearly cancel (edge filters with a large BatchNorm gain over a
    nearly constant input) do not cancel themselves and shift the whole channel. Bias correction
    after Nagel et al., "Data-Free Quantization Through Weight Equalization and Bias Correction",
    ICCV 2019, section 4.2, with measured means.
    """
    for layer in network.layers():
        if layer.bias < 0:
            continue
        weights = network.values(layer.weights)
        error = weights - rounded(weights, layer)
        mean = statistics.inputs[layer.weights]
        axes = {CONV: "ohwi,hwi->o", DEPTHWISE: "ohwi,hwi->i", DENSE: "oi,i->o"}[layer.kind]
        shift = np.einsum(axes, error, mean)
        network.set_values(layer.bias, network.values(layer.bias) + shift)


def rounded(weights: npt.NDArray[np.float32], layer: Layer) -> npt.NDArray[np.float64]:
    """Return weights as int8 will hold them: symmetric, a scale per output channel."""
    channel = weights.ndim - 1 if layer.kind == DEPTHWISE else 0
    others = tuple(axis for axis in range(weights.ndim) if axis != channel)
    scale = np.abs(weights).max(axis=others, keepdims=True).astype(np.float64) / LEVELS
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
