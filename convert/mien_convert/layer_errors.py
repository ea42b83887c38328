"""Layer-wise quantization error: noise of each layer's output, and the KL it causes.

Used in the converter's process only.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from mien_convert.accuracy_gate import mean_kl
from mien_convert.quantize import measure, quantize
from mien_convert.tflite_graph import Network
from mien_convert.tflite_runner import interpreter, logits, set_face

Faces = npt.NDArray[np.uint8]  # [n, S, S]

FACES = 300  # enough to rank the layers by
OUTPUT = "output"  # name of the last layer, whose tensor has none
NOISE_FACES = 64  # every tensor of both networks is read for each


@dataclass(frozen=True)
class LayerError:
    """Quantization error of one layer."""

    name: str
    noise: float  # RMS error of its output over the RMS of the float output
    shift: float  # largest mean error of one of its channels, over the same RMS
    gain: float  # nats by which the mean KL(float || int8) falls if this layer alone stays float


def layer_errors(
    float32: bytes, int8: bytes, calibration: Faces, faces: Faces, done: Callable[[str, int], None]
) -> list[LayerError]:
    """Return the errors of all layers, the one with the largest gain first.

    `faces`, uint8 [n, S, S], are what errors are measured on; a few hundred will do. Each layer is
    left float in turn, by the denylist that QuantizationDebugger uses; `done` gets each layer's
    name and the number of layers.
    """
    network = Network(float32)
    statistics = measure(float32, calibration)
    reference = logits(float32, faces)
    # Logits are not centred here: what that gives would hide in every single layer.
    whole = mean_kl(reference, logits(quantize(float32, statistics), faces))
    noise = output_errors(float32, int8, faces[:NOISE_FACES])
    found = []
    layers = network.layers()
    for layer in layers:
        name = network.name(layer.target)
        name_shown = OUTPUT if layer.target in network.outputs else short(name)
        without = logits(quantize(float32, statistics, float_layer=layer), faces)
        ratio, shift = noise.get(name, (float("nan"), float("nan")))
        found.append(LayerError(name_shown, ratio, shift, whole - mean_kl(reference, without)))
        done(name_shown, len(layers))
    return sorted(found, key=lambda error: -error.gain)


def short(name: str) -> str:
    """Return the layer's name out of the tensor's, which names all that was fused into it."""
    parts = name.split(";")[0].split("/")
    # Keras enters every layer's name a second time as it exports, and TensorFlow numbers that.
    return (parts[1] if len(parts) > 1 else parts[0]).removesuffix("_1")


def output_errors(float32: bytes, int8: bytes, faces: Faces) -> dict[str, tuple[float, float]]:
    """Return noise and shift (see LayerError) of every tensor that both networks name alike."""
    runners = [
        interpreter(flatbuffer, experimental_preserve_all_tensors=True)
        for flatbuffer in (float32, int8)
    ]
    tensors = [
        {detail["name"]: detail for detail in runner.get_tensor_details() if len(detail["shape"])}
        for runner in runners
    ]
    names = [n for n, d in tensors[1].items() if n in tensors[0] and d["dtype"] == np.int8]
    squares = dict.fromkeys(names, 0.0)
    errors = dict.fromkeys(names, 0.0)
    shifts: dict[str, Any] = dict.fromkeys(names, 0.0)
    for face in faces:
        for runner in runners:
            set_face(runner, runner.get_input_details()[0], face)
            runner.invoke()
        for name in names:
            exact = runners[0].get_tensor(tensors[0][name]["index"]).astype(np.float64)
            scale, zero_point = tensors[1][name]["quantization"]
            if not scale:  # a constant, quantised per channel
                continue
            got = (runners[1].get_tensor(tensors[1][name]["index"]) - float(zero_point)) * scale
            squares[name] += float((exact**2).mean())
            errors[name] += float(((got - exact) ** 2).mean())
            shifts[name] = shifts[name] + (got - exact).reshape(-1, exact.shape[-1]).mean(axis=0)
    count = len(faces)
    return {
        name: (
            float(np.sqrt(errors[name] / squares[name])),
            float(np.abs(shifts[name]).max() / count / np.sqrt(squares[name] / count)),
        )
        for name in names
        if squares[name]
    }
