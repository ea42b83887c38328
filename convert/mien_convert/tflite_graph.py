"""Float TFLite graph that can be edited: layers, weights, biases and ranges of tensors.

The flatbuffer has the network as it will be quantized: BatchNorm folded into the convolutions,
activations fused. Used in the worker process only, because it needs TensorFlow.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

# tensorflow/compiler/mlir/lite/schema/schema.fbs, enum BuiltinOperator
CONV, DEPTHWISE, DENSE = 3, 4, 9
SAME = 0  # enum Padding

Array = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Layer:
    """One convolution or dense layer; the numbers are those of tensors."""

    kind: int  # CONV, DEPTHWISE or DENSE
    source: int
    weights: int
    bias: int  # -1 where there is none
    target: int
    stride: tuple[int, int]  # rows, columns
    same: bool  # padded so that the output has the input's size over the stride


class Network:
    """A float network that can be edited; `to_bytes` gives the flatbuffer."""

    def __init__(self, flatbuffer: bytes) -> None:
        from tensorflow.lite.tools import flatbuffer_utils

        self._utils = flatbuffer_utils
        self._model = flatbuffer_utils.convert_bytearray_to_object(bytearray(flatbuffer))
        self._graph = self._model.subgraphs[0]
        self.input = int(self._graph.inputs[0])
        self.outputs = [int(tensor) for tensor in self._graph.outputs]

    def to_bytes(self) -> bytes:
        """Return the flatbuffer as it now is."""
        return bytes(self._utils.convert_object_to_bytearray(self._model))

    def activations(self) -> list[int]:
        """Return the input and the outputs of all operations, in the order of computation."""
        return [self.input, *(int(t) for op in self._graph.operators for t in op.outputs)]

    def layers(self) -> list[Layer]:
        """Return the layers with weights, in the order of computation."""
        found = []
        for operator in self._graph.operators:
            code = self._model.operatorCodes[operator.opcodeIndex]
            kind = max(code.builtinCode, code.deprecatedBuiltinCode)
            if kind not in (CONV, DEPTHWISE, DENSE):
                continue
            options, inputs = operator.builtinOptions, [int(t) for t in operator.inputs]
            found.append(
                Layer(
                    kind=kind,
                    source=inputs[0],
                    weights=inputs[1],
                    bias=inputs[2] if len(inputs) > 2 else -1,
                    target=int(operator.outputs[0]),
                    stride=(1, 1) if kind == DENSE else (options.strideH, options.strideW),
                    same=kind != DENSE and options.padding == SAME,
                )
            )
        return found

    def values(self, tensor: int) -> Array:
        """Return the constant that a tensor holds, a copy."""
        entry = self._graph.tensors[tensor]
        data = bytes(self._model.buffers[entry.buffer].data)
        return np.frombuffer(data, np.float32).reshape(entry.shape).copy()

    def set_values(self, tensor: int, values: npt.NDArray[np.floating[Any]]) -> None:
        """Replace the constant that a tensor holds by one of the same shape."""
        entry = self._graph.tensors[tensor]
        data = np.ascontiguousarray(values, np.float32).tobytes()
        self._model.buffers[entry.buffer].data = np.frombuffer(data, np.uint8)

    def set_range(self, tensor: int, low: float, high: float) -> None:
        """State the least and the largest value of an activation, which its int8 form will span."""
        from tensorflow.lite.python import schema_py_generated as schema

        entry = self._graph.tensors[tensor]
        entry.quantization = entry.quantization or schema.QuantizationParametersT()
        entry.quantization.min, entry.quantization.max = [low], [high]
