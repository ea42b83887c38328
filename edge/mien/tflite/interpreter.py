"""The TFLite interpreter of what is installed, whichever package that is."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any

import numpy as np
import numpy.typing as npt

from mien.errors import UserError
from mien.log import filter_stderr


def interpreter_class() -> Any:
    """Return the class Interpreter of what is installed, the successor before the old package."""
    try:
        from ai_edge_litert.interpreter import Interpreter
    except ImportError:
        try:
            from tflite_runtime.interpreter import Interpreter
        except ImportError:
            raise UserError(
                "No TFLite interpreter is installed; run `pip install ai-edge-litert` "
                "(64-bit systems only: there is none for 32-bit Raspberry Pi OS)."
            ) from None
    return Interpreter


class TfliteNetwork:
    """A network from a gray picture to numbers, one thread, loaded once.

    Not for use from several threads at once. Raises UserError where the interpreter refuses it.
    """

    input_shape: tuple[int, int]  # px, height and width
    output_shapes: tuple[tuple[int, ...], ...]  # without the batch

    def __init__(self, content: bytes, name: str) -> None:
        """Load a TFLite file's bytes; `name` is what a sentence about it calls it."""
        try:
            with suppress_delegate_log():
                self._interpreter = interpreter_class()(model_content=content, num_threads=1)
                self._interpreter.allocate_tensors()
            (entry,) = self._interpreter.get_input_details()
            _, height, width, _ = (int(side) for side in entry["shape"])
        except (RuntimeError, ValueError) as error:
            raise UserError(
                f"{name} is no network for gray pictures that this interpreter runs; "
                "make it anew with mien-convert, or update ai-edge-litert."
            ) from error
        self.input_shape = height, width
        self._input = int(entry["index"])
        self._outputs = self._interpreter.get_output_details()
        self.output_shapes = tuple(tuple(map(int, one["shape"][1:])) for one in self._outputs)

    def run(self, picture: npt.NDArray[np.uint8]) -> list[npt.NDArray[np.float32]]:
        """Return the outputs, float32 of `output_shapes`, for a picture, uint8 of `input_shape`."""
        self._interpreter.set_tensor(self._input, picture[np.newaxis, :, :, np.newaxis])
        self._interpreter.invoke()
        return [self._output(entry) for entry in self._outputs]

    def _output(self, entry: dict[str, Any]) -> npt.NDArray[np.float32]:
        values = self._interpreter.get_tensor(entry["index"])[0]
        step, zero = entry["quantization"]
        if step:
            values = (values.astype(np.float32) - np.float32(zero)) * np.float32(step)
        return np.asarray(values, np.float32)


def uses_delegate(interpreter: Any) -> bool | None:
    """Return whether a delegate has taken over the graph.

    XNNPACK stays off without an error where `/sys` is missing, as in some containers, and then
    everything is several times slower; no public call tells.
    """
    try:
        return any(op["op_name"] == "DELEGATE" for op in interpreter._get_ops_details())
    except (AttributeError, KeyError):
        return None


def suppress_delegate_log() -> AbstractContextManager[None]:
    """Hold back the line that the interpreter prints on every start, and nothing else.

    No setting silences "INFO: Created TensorFlow Lite XNNPACK delegate for CPU.", and it is
    written by C++ to the file descriptor itself.
    """
    return filter_stderr(lambda line: not line.startswith(b"INFO: Created TensorFlow Lite XNNPACK"))
