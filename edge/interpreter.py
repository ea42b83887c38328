"""The TFLite interpreter of what is installed, whichever package that is."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib.resources import files
from typing import Any

from edge.errors import UserError


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


def small_network(content: bytes) -> Any:
    """Return an interpreter with one thread, ready to run, of a TFLite file's bytes."""
    with quiet():
        interpreter = interpreter_class()(model_content=content, num_threads=1)
        interpreter.allocate_tensors()
    return interpreter


@cache
def shipped(name: str) -> bytes:
    """Return one of the networks that find faces, by its file's name in edge/detector."""
    try:
        return (files("edge") / "detector" / name).read_bytes()
    except OSError as error:
        raise UserError(
            f"edge/detector/{name} is missing from the installation ({error.strerror}); "
            "install Mien anew."
        ) from error


def delegated(interpreter: Any) -> bool | None:
    """Return whether a delegate has taken over the graph.

    XNNPACK stays off without an error where `/sys` is missing, as in some containers, and then
    everything is several times slower; no public call tells.
    """
    try:
        return any(op["op_name"] == "DELEGATE" for op in interpreter._get_ops_details())
    except (AttributeError, KeyError):
        return None


@contextmanager
def quiet() -> Iterator[None]:
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
