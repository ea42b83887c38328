"""Structure of a TFLite flatbuffer, verified before the interpreter, which a bad file can crash.

Checked are all tables, vectors and texts, and every index from one into another: of operators into
codes and tensors, of tensors into buffers, of inputs and outputs into tensors. The field numbers
are those of tensorflow/compiler/mlir/lite/schema/schema.fbs, which are fixed for good.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache

from mien.tflite.flatbuffer import FlatbufferError, Table, root

IDENTIFIER = b"TFL3"
MAX_ELEMENTS = 1 << 26  # of one tensor; the largest of ours has some 100,000
MAX_DIMENSIONS = 8
MODEL_CODES, MODEL_SUBGRAPHS, MODEL_BUFFERS, MODEL_METADATA, MODEL_SIGNATURES = 1, 2, 4, 6, 7
SUBGRAPH_TENSORS, SUBGRAPH_INPUTS, SUBGRAPH_OUTPUTS, SUBGRAPH_OPERATORS = 0, 1, 2, 3
TENSOR_SHAPE, TENSOR_TYPE, TENSOR_BUFFER, TENSOR_NAME, TENSOR_QUANTIZATION = 0, 1, 2, 3, 4
# NumPy's name and bytes of an element, by TensorType.
TYPES = {
    0: ("float32", 4),
    1: ("float16", 2),
    2: ("int32", 4),
    3: ("uint8", 1),
    4: ("int64", 8),
    6: ("bool", 1),
    7: ("int16", 2),
    9: ("int8", 1),
    10: ("float64", 8),
    16: ("uint16", 2),
    15: ("uint32", 4),
}
ZERO_POINTS = {"uint8": (0, 255), "int8": (-128, 127)}  # 0 for the others
# Operators whose third input, the bias, may be left out (-1): by BuiltinOperator.
BIAS_OPTIONAL = {3: 2, 4: 2, 9: 2, 67: 3}  # conv, depthwise conv, fully connected, transposed conv
VECTOR_OPTIONS = {17: 0, 30: 0}  # reshape, squeeze: the field of their options that is a vector


@lru_cache(maxsize=2)  # loading a model and running it both ask
def verify_model(data: bytes) -> None:
    """Raise FlatbufferError, whose text is a clause, unless the structure is sound."""
    model = root(data, IDENTIFIER)
    codes = [_code(code) for code in model.tables(MODEL_CODES)]
    sizes = [_buffer_size(buffer, len(data)) for buffer in model.tables(MODEL_BUFFERS)]
    subgraphs = model.tables(MODEL_SUBGRAPHS)
    if not subgraphs:
        raise FlatbufferError("it has no graph")
    model.text(3)
    model.numbers(5, "<i")
    for entry in model.tables(MODEL_METADATA):
        entry.text(0)
        _check_index("a metadata entry's buffer", entry.number(1, "<I"), len(sizes))
    counts = [_verify_subgraph(subgraph, codes, sizes) for subgraph in subgraphs]
    for signature in model.tables(MODEL_SIGNATURES):
        signature.text(2)
        graph = signature.number(4, "<I")
        _check_index("a signature's graph", graph, len(counts))
        for entry in (*signature.tables(0), *signature.tables(1)):
            entry.text(0)
            _check_index("a signature's tensor", entry.number(1, "<I"), counts[graph])


def _code(code: Table) -> int:
    if code.text(1):
        raise FlatbufferError(f"it needs the custom operator {code.text(1)[:40]!r}")
    return max(code.number(0, "<b"), code.number(3, "<i"))


def _buffer_size(buffer: Table, length: int) -> int:
    outside, size = buffer.number(1, "<Q"), buffer.number(2, "<Q")
    if outside > 1 and outside + size > length:
        raise FlatbufferError("a buffer leaves the file")
    return size if outside > 1 else len(buffer.vector(0, 1))


def _verify_subgraph(graph: Table, codes: Sequence[int], sizes: Sequence[int]) -> int:
    """Return the number of its tensors."""
    graph.text(4)
    tensors = graph.tables(SUBGRAPH_TENSORS)
    filled = set()  # tensors that have values by the time an operator reads them
    for index, tensor in enumerate(tensors):
        if _verify_tensor(tensor, sizes):
            filled.add(index)
    for index in graph.numbers(SUBGRAPH_INPUTS, "<i"):
        _check_index("an input", index, len(tensors))
        filled.add(index)
    for operator in graph.tables(SUBGRAPH_OPERATORS):
        inputs, outputs = _verify_operator(operator, codes, len(tensors))
        if not filled.issuperset(inputs):
            raise FlatbufferError("an operator reads a tensor that nothing has filled")
        filled.update(outputs)
    for index in graph.numbers(SUBGRAPH_OUTPUTS, "<i"):
        _check_index("an output", index, len(tensors))
        if index not in filled:
            raise FlatbufferError("an output is a tensor that nothing has filled")
    return len(tensors)


def _verify_tensor(tensor: Table, sizes: Sequence[int]) -> bool:
    """Return whether the tensor is a constant."""
    name = tensor.text(TENSOR_NAME)[:40]
    shape = tensor.numbers(TENSOR_SHAPE, "<i")
    if len(shape) > MAX_DIMENSIONS or any(side < 0 for side in shape):
        raise FlatbufferError(f"tensor {name!r} has the shape {list(shape[:9])}")
    elements = math.prod(shape)
    if elements > MAX_ELEMENTS:
        raise FlatbufferError(f"tensor {name!r} has {elements} elements")
    if any(side < -1 for side in tensor.numbers(7, "<i")):
        raise FlatbufferError(f"tensor {name!r} has a wrong shape signature")
    buffer = tensor.number(TENSOR_BUFFER, "<I")
    _check_index("a tensor's buffer", buffer, len(sizes))
    code = tensor.number(TENSOR_TYPE, "<b")
    if code not in TYPES:
        raise FlatbufferError(f"tensor {name!r} has the type {code}")
    if sizes[buffer] not in (0, elements * TYPES[code][1]):
        raise FlatbufferError(
            f"tensor {name!r} has {sizes[buffer]} bytes for {elements} {TYPES[code][0]}"
        )
    if tensor.offset(6, 4) or tensor.offset(9, 4):
        raise FlatbufferError(f"tensor {name!r} is sparse or variant")
    quantization = tensor.table(TENSOR_QUANTIZATION)
    if quantization is not None:
        _verify_quantization(quantization, shape, name, TYPES[code][0])
    return sizes[buffer] > 0 or bool(tensor.number(5, "<B"))


def _verify_quantization(quantization: Table, shape: Sequence[int], name: str, dtype: str) -> None:
    quantization.vector(0, 4)
    quantization.vector(1, 4)
    steps, points = quantization.floats(2), quantization.numbers(3, "<q")
    scales, zeros = len(steps), len(points)
    low, high = ZERO_POINTS.get(dtype, (0, 0))
    if not all(0 < step < math.inf for step in steps):
        raise FlatbufferError(f"tensor {name!r} has a scale that is not above 0")
    if not all(low <= point <= high for point in points):
        raise FlatbufferError(f"tensor {name!r} has a zero point outside {dtype}")
    axis = quantization.number(6, "<i")
    if quantization.number(4, "<B") or quantization.offset(5, 4):
        raise FlatbufferError(f"tensor {name!r} has an unknown kind of quantization")
    if zeros not in (scales, 0):
        raise FlatbufferError(f"tensor {name!r} has {scales} scales and {zeros} zero points")
    if scales > 1 and not (0 <= axis < len(shape) and shape[axis] == scales):
        raise FlatbufferError(f"tensor {name!r} has {scales} scales along dimension {axis}")


def _verify_operator(
    operator: Table, codes: Sequence[int], tensors: int
) -> tuple[list[int], tuple[int, ...]]:
    """Return the tensors that it reads and those that it writes."""
    index = operator.number(0, "<I")
    _check_index("an operator's code", index, len(codes))
    code = codes[index]
    inputs, outputs = operator.numbers(1, "<i"), operator.numbers(2, "<i")
    if not inputs or not outputs:
        raise FlatbufferError(f"an operator ({code}) has no inputs or no outputs")
    for place, tensor in enumerate(inputs):
        if tensor != -1 or BIAS_OPTIONAL.get(code) != place:
            _check_index(f"input {place} of an operator ({code})", tensor, tensors)
    for tensor in (*outputs, *operator.numbers(8, "<i")):
        _check_index(f"an output of an operator ({code})", tensor, tensors)
    options = operator.table(4)
    if options is not None:
        for field in range(options.fields):
            options.offset(field, 1)
        vector = VECTOR_OPTIONS.get(operator.number(3, "<B"))
        if vector is not None:
            options.numbers(vector, "<i")
    if operator.table(12) is not None:
        raise FlatbufferError(f"an operator ({code}) has options of a second kind")
    operator.vector(5, 1)
    operator.vector(7, 1)
    return [tensor for tensor in inputs if tensor >= 0], outputs


def _check_index(what: str, index: int, count: int) -> None:
    if not 0 <= index < count:
        raise FlatbufferError(f"{what} is number {index} of {count}")
