"""Runs the int8 network: face bytes in, logits out."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt

from edge.errors import UserError
from edge.modelfile import Metadata, Model
from edge.signature import check_fit


class Classifier:
    """One interpreter for its life, with XNNPACK as the interpreter's default has it.

    `threads` is the interpreter's number of threads. Raises UserError where the model does not fit
    its metadata or no interpreter is installed. Not for use from several threads at once.
    """

    metadata: Metadata
    xnnpack: bool | None  # whether its fast kernels run; None where the interpreter does not say
    step: float  # of the logits: one step of the int8 output

    def __init__(self, model: Model, threads: int = 1) -> None:
        self.metadata = model.metadata
        size, labels = model.metadata.input_size, len(model.metadata.labels)
        check_fit(model.flatbuffer, size, labels, str(model.path))
        try:
            interpreter_class = _interpreter_class()
            with _quiet():
                self._interpreter = interpreter_class(
                    model_content=model.flatbuffer, num_threads=max(1, threads)
                )
                self._interpreter.allocate_tensors()
        except (RuntimeError, ValueError) as error:
            reason = (str(error).strip() or "no reason given").splitlines()[0]
            raise UserError(
                f"{model.path} cannot be run by this interpreter ({reason}); "
                "update ai-edge-litert, or convert the model anew with mien-convert."
            ) from error
        self.xnnpack = _delegated(self._interpreter)
        self._input = int(self._interpreter.get_input_details()[0]["index"])
        output = self._interpreter.get_output_details()[0]
        self._output = int(output["index"])
        self.step, self._zero_point = output["quantization"]
        if not self.step:
            raise UserError(
                f"{model.path} has no quantisation of its output; "
                "convert the model anew with mien-convert."
            )

    def logits(self, faces: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """Return dequantised logits, float32 [n, K], of face bytes, uint8 [n, S, S].

        Raises ValueError for another shape or type.
        """
        size = self.metadata.input_size
        if faces.dtype != np.uint8 or faces.ndim != 3 or faces.shape[1:] != (size, size):
            raise ValueError(
                f"faces are {faces.dtype} {list(faces.shape)}, not uint8 [n, {size}, {size}]"
            )
        steps = np.empty((len(faces), len(self.metadata.labels)), np.float32)
        for index, face in enumerate(faces):
            self._interpreter.set_tensor(self._input, face[np.newaxis, :, :, np.newaxis])
            self._interpreter.invoke()
            steps[index] = self._interpreter.get_tensor(self._output)[0]
        return (steps - np.float32(self._zero_point)) * np.float32(self.step)


def _interpreter_class() -> Any:
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


def _delegated(interpreter: Any) -> bool | None:
    """Return whether a delegate has taken over the graph.

    XNNPACK stays off without an error where `/sys` is missing, as in some containers, and then
    everything is several times slower; no public call tells.
    """
    try:
        return any(op["op_name"] == "DELEGATE" for op in interpreter._get_ops_details())
    except (AttributeError, KeyError):
        return None


@contextmanager
def _quiet() -> Iterator[None]:
    """Hold back the line that the interpreter prints on every start, and nothing else.

    No setting silences "INFO: Created TensorFlow Lite XNNPACK delegate for CPU.", and it is
    written by C++ to the file descriptor itself.
    """
    try:
        kept = os.dup(2)
    except OSError:  # stderr is closed
        yield
        return
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)
            held.seek(0)
            for line in held:
                if not line.startswith(b"INFO: Created TensorFlow Lite XNNPACK"):
                    os.write(2, line)
