"""The TFLite interpreter of what is installed, whichever package that is."""

from __future__ import annotations

from contextlib import AbstractContextManager
from functools import cache
from importlib.resources import files
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


class TfliteModel:
    """A network that finds faces, one thread, loaded once. Not for several threads at once."""

    step: float  # what one step of the int8 output is worth
    zero: int  # the output that means 0

    def __init__(self, content: bytes) -> None:
        """Load a TFLite file's bytes."""
        with suppress_delegate_log():
            self._interpreter = interpreter_class()(model_content=content, num_threads=1)
            self._interpreter.allocate_tensors()
        self._input = int(self._interpreter.get_input_details()[0]["index"])
        output = self._interpreter.get_output_details()[0]
        self._output = int(output["index"])
        self.step, self.zero = output["quantization"]

    def invoke(self, view: npt.NDArray[np.uint8]) -> npt.NDArray[np.int8]:
        """Return what it says of a gray picture, uint8 [h, w], in steps."""
        self._interpreter.set_tensor(self._input, view[np.newaxis, :, :, np.newaxis])
        self._interpreter.invoke()
        told: npt.NDArray[np.int8] = self._interpreter.get_tensor(self._output)[0]
        return told

    def run_scalar(self, view: npt.NDArray[np.uint8]) -> float:
        """Return the only number that it says of a gray picture, uint8 [h, w]."""
        return float(self.step * (int(self.invoke(view)[0]) - self.zero))


@cache
def load_weights(name: str) -> bytes:
    """Return one of the networks that find faces, by its file's name in
    edge/mien/detection/weights."""
    try:
        return (files("mien.detection") / "weights" / name).read_bytes()
    except OSError as error:
        raise UserError(
            f"detection/weights/{name} is missing from the installation ({error.strerror}); "
            "install Mien anew."
        ) from error


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
