"""Inference of float and int8 networks in the device's interpreter: logits and latency.

The int8 file is judged through mien.Classifier, as on the device; this runs what the device
refuses, float networks.
"""

from __future__ import annotations

import statistics
import time
import warnings
from typing import Any

import numpy as np
import numpy.typing as npt
from mien.classification.preprocess import normalize
from mien.tflite.interpreter import interpreter_class

Faces = npt.NDArray[np.uint8]  # [n, S, S]

WARM_UP_RUNS = 10
TIMED_RUNS = 100


def interpreter(flatbuffer: bytes, **options: Any) -> Any:
    """Return the device's interpreter on one thread, its tensors allocated."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # preserving all tensors warns about memory
        runner = interpreter_class()(model_content=flatbuffer, num_threads=1, **options)
    runner.allocate_tensors()
    return runner


def logits(flatbuffer: bytes, faces: Faces) -> npt.NDArray[np.float32]:
    """Return logits, float32 [n, K], of a network with float or uint8 input."""
    runner = interpreter(flatbuffer)
    source, target = runner.get_input_details()[0], runner.get_output_details()[0]
    scale, zero_point = target["quantization"]
    rows = []
    for face in faces:
        bytes_in = source["dtype"] == np.uint8
        given = face[np.newaxis, ..., np.newaxis] if bytes_in else normalize(face[np.newaxis])
        runner.set_tensor(source["index"], given)
        runner.invoke()
        row = runner.get_tensor(target["index"])[0].astype(np.float32)
        rows.append((row - zero_point) * scale if scale else row)
    return np.asarray(rows, np.float32)


def latency_ms_per_face(flatbuffer: bytes) -> float:
    """Return the median time of one face on one thread of this machine, in ms."""
    runner = interpreter(flatbuffer)
    details = runner.get_input_details()[0]
    runner.set_tensor(details["index"], np.zeros(details["shape"], details["dtype"]))
    times = []
    for _ in range(WARM_UP_RUNS + TIMED_RUNS):
        begin = time.perf_counter()
        runner.invoke()
        times.append(time.perf_counter() - begin)
    return 1000 * statistics.median(times[WARM_UP_RUNS:])
