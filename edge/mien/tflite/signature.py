"""Reads the inputs and outputs of a TFLite flatbuffer without the interpreter.

A model that does not fit is refused before the interpreter, whose process a bad file can crash,
sees a byte of it. Only the four tables on the way to the tensors are read; the field numbers are
those of tensorflow/compiler/mlir/lite/schema/schema.fbs, which are fixed for good.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from mien.errors import UserError

IDENTIFIER = b"TFL3"
MODEL_SUBGRAPHS = 2
SUBGRAPH_TENSORS, SUBGRAPH_INPUTS, SUBGRAPH_OUTPUTS = 0, 1, 2
TENSOR_SHAPE, TENSOR_TYPE = 0, 1
TYPES = {0: "float32", 1: "float16", 2: "int32", 3: "uint8", 4: "int64", 7: "int16", 9: "int8"}


@dataclass(frozen=True)
class Tensor:
    """An input or output of a model."""

    dtype: str  # NumPy's name
    shape: tuple[int, ...]


@dataclass(frozen=True)
class Signature:
    """What goes into a model and what comes out."""

    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]


def io_signature(flatbuffer: bytes) -> Signature:
    """Return the inputs and outputs of the first subgraph; raises ValueError where it cannot."""
    if flatbuffer[4:8] != IDENTIFIER:
        raise ValueError("not a TFLite flatbuffer")
    try:
        model = _follow(flatbuffer, 0)
        subgraph = _vector(flatbuffer, model, MODEL_SUBGRAPHS)[0]
        subgraph = _follow(flatbuffer, subgraph)
        tensors = _vector(flatbuffer, subgraph, SUBGRAPH_TENSORS)

        def of(field: int) -> tuple[Tensor, ...]:
            found = []
            for place in _vector(flatbuffer, subgraph, field, limit=64):
                tensor = _follow(flatbuffer, tensors[_read("<I", flatbuffer, place)])
                sizes = _vector(flatbuffer, tensor, TENSOR_SHAPE, limit=8)
                shape = tuple(_read("<i", flatbuffer, at) for at in sizes)
                kind = _field(flatbuffer, tensor, TENSOR_TYPE)
                code = _read("<b", flatbuffer, kind) if kind else 0
                found.append(Tensor(TYPES.get(code, f"type {code}"), shape))
            return tuple(found)

        return Signature(of(SUBGRAPH_INPUTS), of(SUBGRAPH_OUTPUTS))
    except (struct.error, IndexError) as error:
        raise ValueError("a damaged TFLite flatbuffer") from error


def check_fit(flatbuffer: bytes, size: int, labels: int, name: str) -> None:
    """Refuse a flatbuffer that is not uint8 [1, size, size, 1] to int8 or uint8 [1, labels].

    `size` is in px; `name` is what the sentence calls the model. Raises UserError.
    """
    again = "convert the model anew with mien-convert"
    try:
        signature = io_signature(flatbuffer)
    except ValueError as error:
        raise UserError(f"{name} holds {error}; copy the file again, or {again}.") from error
    if len(signature.inputs) != 1 or len(signature.outputs) != 1:
        raise UserError(
            f"{name} has {len(signature.inputs)} inputs and {len(signature.outputs)} outputs "
            f"where Mien needs one of each; {again}."
        )
    pixels, logits = signature.inputs[0], signature.outputs[0]
    if pixels.dtype != "uint8" or logits.dtype not in ("int8", "uint8"):
        kind = "a float model" if pixels.dtype.startswith("float") else "no int8 model"
        raise UserError(
            f"{name} is {kind} ({pixels.dtype} in, {logits.dtype} out) where the device needs "
            f"uint8 pixels in and int8 logits out; {again}."
        )
    if pixels.shape != (1, size, size, 1):
        raise UserError(
            f"{name} takes {list(pixels.shape)} where its metadata says [1, {size}, {size}, 1]; "
            f"{again}."
        )
    if logits.shape != (1, labels):
        raise UserError(
            f"{name} gives {list(logits.shape)} where its {labels} labels need [1, {labels}]; "
            f"{again}."
        )


def float_input(data: bytes) -> bool:
    """Return whether the bytes are a TFLite model that takes floats."""
    try:
        return any(t.dtype.startswith("float") for t in io_signature(data).inputs)
    except ValueError:
        return False


def _read(code: str, data: bytes, at: int) -> int:
    if at < 0:  # struct would count from the end
        raise IndexError(at)
    return int(struct.unpack_from(code, data, at)[0])


def _follow(data: bytes, at: int) -> int:
    return at + _read("<I", data, at)


def _field(data: bytes, table: int, number: int) -> int:
    """Return where a field of a table stands, 0 where it is left out."""
    vtable = table - _read("<i", data, table)
    slot = 4 + 2 * number
    if slot >= _read("<H", data, vtable):
        return 0
    offset = _read("<H", data, vtable + slot)
    return table + offset if offset else 0


def _vector(data: bytes, table: int, number: int, limit: int | None = None) -> range:
    """Return where the four-byte elements of a vector field stand; more than `limit` is damage."""
    at = _field(data, table, number)
    if not at:
        return range(0)
    start = _follow(data, at)
    count = _read("<I", data, start)
    if count > (len(data) // 4 if limit is None else limit):
        raise IndexError(count)
    return range(start + 4, start + 4 + 4 * count, 4)
