"""Runs any variant of the network in the device's interpreter: logits of floats, and ms per face.

The int8 file is judged through edge.Classifier, as on the device; this runs what the device
refuses (float models) and takes the time of all variants in one way.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from edge.errors import UserError

Faces = npt.NDArray[np.uint8]  # [n, S, S]

WARM_UP = 10  # calls before the clock runs
TIMED = 100  # calls timed


def to_input(faces: Faces) -> npt.NDArray[np.float32]:
    """Scale bytes [n, S, S] to float32 [n, S, S, 1] in [-1, 1], as train.network.to_input does.

    That module imports Keras, which this process keeps out; a test holds the two together.
    """
    return np.asarray(faces[..., np.newaxis], np.float32) / np.float32(127.5) - np.float32(1)


def interpreter(flatbuffer: bytes, **options: Any) -> Any:
    """Return the device's interpreter on one thread, its tensors allocated."""
    try:
        from ai_edge_litert.interpreter import Interpreter
    except ImportError:
        try:
            from tflite_runtime.interpreter import Interpreter
        except ImportError:
            raise UserError(
                "no TFLite interpreter is installed; run `pip install ai-edge-litert`."
            ) from None
    runner = Interpreter(model_content=flatbuffer, num_threads=1, **options)
    runner.allocate_tensors()
    return runner


def float_variant_logits(
    flatbuffer: bytes, faces: Faces, done: Callable[[int], None]
) -> npt.NDArray[np.float32]:
    """Return logits, float32 [n, 7], of a variant with float input; `done` counts the faces."""
    runner = interpreter(flatbuffer)
    source, target = (
        runner.get_input_details()[0]["index"],
        runner.get_output_details()[0]["index"],
    )
    logits = []
    for face in faces:
        runner.set_tensor(source, to_input(face[np.newaxis]))
        runner.invoke()
        logits.append(runner.get_tensor(target)[0])
        done(1)
    return np.asarray(logits, np.float32)


def milliseconds_per_face(flatbuffer: bytes) -> float:
    """Return the median time of one face on one thread of this machine, in ms."""
    runner = interpreter(flatbuffer)
    details = runner.get_input_details()[0]
    runner.set_tensor(details["index"], np.zeros(details["shape"], details["dtype"]))
    times = []
    for _ in range(WARM_UP + TIMED):
        begin = time.perf_counter()
        runner.invoke()
        times.append(time.perf_counter() - begin)
    return 1000 * statistics.median(times[WARM_UP:])
