"""Inputs and outputs of a TFLite flatbuffer, read without the interpreter.

A model that does not fit is refused before the interpreter, whose process a bad file can crash,
sees a byte of it.
"""

from __future__ import annotations

from dataclasses import dataclass

from mien.errors import UserError
from mien.tflite.flatbuffer import FlatbufferError, root
from mien.tflite.verifier import (
    IDENTIFIER,
    MODEL_SUBGRAPHS,
    SUBGRAPH_INPUTS,
    SUBGRAPH_OUTPUTS,
    SUBGRAPH_TENSORS,
    TENSOR_SHAPE,
    TENSOR_TYPE,
    TYPES,
    verify_model,
)

MAX_TENSORS = 64  # inputs or outputs that are looked at


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
    """Return the inputs and outputs of the first graph; raises ValueError where it cannot."""
    model = root(flatbuffer, IDENTIFIER)
    graphs = model.tables(MODEL_SUBGRAPHS)
    if not graphs:
        raise FlatbufferError("it has no graph")
    tensors = graphs[0].tables(SUBGRAPH_TENSORS)

    def of(field: int) -> tuple[Tensor, ...]:
        found = []
        for index in graphs[0].numbers(field, "<i")[:MAX_TENSORS]:
            if not 0 <= index < len(tensors):
                raise FlatbufferError(f"tensor {index} of {len(tensors)}")
            code = tensors[index].number(TENSOR_TYPE, "<b")
            dtype = TYPES[code][0] if code in TYPES else f"type {code}"
            found.append(Tensor(dtype, tensors[index].numbers(TENSOR_SHAPE, "<i")))
        return tuple(found)

    return Signature(of(SUBGRAPH_INPUTS), of(SUBGRAPH_OUTPUTS))


def check_fit(flatbuffer: bytes, size: int, labels: int, name: str) -> None:
    """Refuse a flatbuffer that is not uint8 [1, size, size, 1] to int8 or uint8 [1, labels].

    `size` is in px; `name` is what the sentence calls the model. Raises UserError.
    """
    again = "convert the model anew with mien-convert"
    try:
        verify_model(flatbuffer)
        signature = io_signature(flatbuffer)
    except FlatbufferError as error:
        raise UserError(
            f"{name} does not hold a sound TFLite flatbuffer ({error}); copy the file again, or "
            f"{again}."
        ) from error
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
