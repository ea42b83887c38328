"""Comparison of Mien's pipeline with baselines on the same frames and the same core."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import IO, Any

from mien.bench.scenes import DetectionCounts, Gray, Scene
from mien.bench.timing import Stopwatch
from mien.child import module_command
from mien.errors import UserError
from mien.pipeline.video import VideoPipeline

WIDTH, HEIGHT = 640, 480  # px


class BaselineProcess:
    """Running process of a baseline: edge/mien/bench/baseline_process.py."""

    def __init__(self, process: subprocess.Popen[bytes], log: IO[bytes]) -> None:
        self._process, self._log = process, log
        self.classifier: str = self._line()["classifier"]

    def process(self, gray: Gray) -> dict[str, Any]:
        """Send a frame, uint8 [H, W], and wait for the result: wall_ms, cpu_ms and boxes."""
        assert self._process.stdin
        height, width = gray.shape
        head = json.dumps({"width": width, "height": height}) + "\n"
        with contextlib.suppress(BrokenPipeError):  # why it has ended is said below
            self._process.stdin.write(head.encode() + gray.tobytes())
            self._process.stdin.flush()
        return self._line()

    def _line(self) -> dict[str, Any]:
        assert self._process.stdout
        line = self._process.stdout.readline()
        if not line:
            self._log.seek(0)
            said = self._log.read().decode(errors="replace").strip().splitlines()
            raise UserError(
                f"The baseline ended before it was done ({said[-1] if said else 'mute'}); check "
                "that its package can be imported, and free memory."
            )
        return dict(json.loads(line))


@contextlib.contextmanager
def start_baseline(model: Path, fer_python: Path | None = None) -> Iterator[BaselineProcess]:
    """Start the package fer by the Python of an environment that has it, else the tutorial's
    pipeline, which reads with `model` where TensorFlow is missing; raises UserError.
    """
    if fer_python is not None and (not os.access(fer_python, os.X_OK) or fer_python.is_dir()):
        raise UserError(
            f"{fer_python} cannot be started as Python; give --fer the bin/python of an "
            "environment with `pip install fer`."
        )
    keras = all(importlib.util.find_spec(name) for name in ("keras", "tensorflow"))
    kind = "fer" if fer_python else "keras" if keras else "tflite"
    command = module_command(
        "mien.bench.baseline_process", kind, str(model), python=str(fer_python or sys.executable)
    )
    paths = (str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH"))
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))}
    with (
        tempfile.TemporaryFile() as log,
        subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            env=environment,
        ) as process,
    ):
        try:
            yield BaselineProcess(process, log)
        finally:
            process.kill()
            with contextlib.suppress(BrokenPipeError):
                assert process.stdin
                process.stdin.close()


def compare(
    build: Callable[[], VideoPipeline], others: Mapping[str, BaselineProcess], frames: int
) -> dict[str, Any]:
    """Run all pipelines on each frame of the scene with one face, on the core of the caller."""
    pipeline, scene = build(), Scene(1, WIDTH, HEIGHT)
    watches = {name: Stopwatch() for name in ("mien", *others)}
    found = {name: DetectionCounts() for name in watches}
    for index in range(frames):
        frame, truth = scene.frame(index), scene.boxes(index)
        with watches["mien"].running():
            result = pipeline.process(frame)
        found["mien"].add(truth, [face.box for face in result.faces])
        for name, other in others.items():
            answer = other.process(frame.gray)
            watches[name].wall.append(answer["wall_ms"])
            watches[name].cpu.append(answer["cpu_ms"])
            found[name].add(truth, answer["boxes"])
    document: dict[str, Any] = {
        name: {**watch.summary(), **found[name].summary()} for name, watch in watches.items()
    }
    ours = watches["mien"]
    for name, other in others.items():
        theirs = watches[name]
        document[name]["classifier"] = other.classifier
        document[name]["ratio"] = {
            "cpu": round(sum(theirs.cpu) / sum(ours.cpu), 1),
            "wall": round(sum(theirs.wall) / sum(ours.wall), 1),
        }
    return document
