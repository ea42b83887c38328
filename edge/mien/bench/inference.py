"""Times of the network alone: threads, XNNPACK on and off, litert-benchmark."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from mien.bench.timing import Times, measure
from mien.child import module_command
from mien.tflite.interpreter import interpreter_class, suppress_delegate_log, uses_delegate
from mien.tflite.model_file import Model

LITERT_BENCHMARK = "ai_edge_litert.tools.benchmark_litert_model"  # the command litert-benchmark
BENCHMARK_TIMEOUT_S = 120.0


def interpreter(model: Model, threads: int, xnnpack: bool) -> Any:
    """Return an interpreter with random pixels set; without XNNPACK, TFLite's plain kernels run."""
    kind = interpreter_class()
    options: dict[str, Any] = {}
    if not xnnpack:
        resolvers = sys.modules[kind.__module__].OpResolverType
        options["experimental_op_resolver_type"] = resolvers.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    with suppress_delegate_log():
        network = kind(model_content=model.flatbuffer, num_threads=threads, **options)
        network.allocate_tensors()
    entry = network.get_input_details()[0]
    pixels = np.random.default_rng(7).integers(0, 256, entry["shape"], np.uint8)
    network.set_tensor(entry["index"], pixels)
    return network


def time_model(model: Model, threads: int, xnnpack: bool, runs: int) -> dict[str, Any]:
    """Time single inferences, without setting the input and reading the output.

    "xnnpack" says what runs, which may differ from what was asked for; None is unknown.
    """
    network = interpreter(model, threads, xnnpack)
    times: Times = measure(network.invoke, runs)
    running = uses_delegate(network) if xnnpack else False
    return {"threads": threads, "xnnpack": running, **times.summary()}


def litert_benchmark(model: Model, threads: int, runs: int) -> dict[str, Any] | None:
    """Return the measurement of the interpreter's own benchmark; None if it is not installed.

    It runs in a process of its own, through the newer CompiledModel, with XNNPACK.
    """
    try:
        if importlib.util.find_spec(LITERT_BENCHMARK) is None:
            return None
    except ModuleNotFoundError:
        return None
    with tempfile.TemporaryDirectory(prefix="mien-bench-") as folder:
        flatbuffer, result = Path(folder) / "model.tflite", Path(folder) / "result.json"
        flatbuffer.write_bytes(model.flatbuffer)
        command = module_command(LITERT_BENCHMARK, "--model", str(flatbuffer))
        command += ["--num_runs", str(runs), "--num_threads", str(threads)]
        try:
            subprocess.run(
                [*command, "--result_json", str(result)],
                capture_output=True,
                timeout=BENCHMARK_TIMEOUT_S,
                check=True,
            )
            latency = json.loads(result.read_text())["latency"]
            return {
                "threads": threads,
                "n": latency["num_runs"],
                "wall_ms": {
                    key: latency[f"{key}_ms" if key != "mean" else "avg_ms"]
                    for key in ("min", "median", "mean", "p95")
                },
            }
        except (subprocess.SubprocessError, OSError, ValueError, KeyError) as error:
            return {"threads": threads, "error": f"{type(error).__name__}: it gave no result"}
