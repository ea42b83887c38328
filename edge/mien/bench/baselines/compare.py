"""Comparison of Mien's pipeline with baselines on the same frames and the same core."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from mien.bench.end_to_end import DetectionCounts
from mien.bench.scenes import Gray, Scene
from mien.bench.timing import Stopwatch, Times
from mien.boxes import Box
from mien.child import module_command
from mien.errors import UserError
from mien.pipeline.video import VideoPipeline


@dataclass(frozen=True)
class BaselineResult:
    """Times and boxes of a baseline for one frame."""

    wall_ms: float
    cpu_ms: float
    boxes: list[Box]


class BaselineProcess:
    """Running process of a baseline: edge/mien/bench/baselines/tutorial.py or fer.py."""

    def __init__(self, process: subprocess.Popen[bytes], log: IO[bytes], what: str) -> None:
        self._process, self._log, self._what = process, log, what
        self.classifier: str = self._line()["classifier"]

    def process(self, gray: Gray) -> BaselineResult:
        """Send a frame, uint8 [H, W], and wait for the result."""
        assert self._process.stdin
        height, width = gray.shape
        head = json.dumps({"width": width, "height": height}) + "\n"
        with contextlib.suppress(BrokenPipeError):  # why it has ended is said below
            self._process.stdin.write(head.encode() + gray.tobytes())
            self._process.stdin.flush()
        answer = self._line()
        boxes: list[Box] = [(x, y, w, h) for x, y, w, h in answer["boxes"]]
        return BaselineResult(answer["wall_ms"], answer["cpu_ms"], boxes)

    def _line(self) -> dict[str, Any]:
        assert self._process.stdout
        line = self._process.stdout.readline()
        if not line:
            self._log.seek(0)
            said = self._log.read().decode(errors="replace").strip().splitlines()
            raise UserError(
                f"{self._what[0].upper()}{self._what[1:]} ended before it was done "
                f"({said[-1] if said else 'mute'}); check with `python -c 'import tensorflow'` "
                "that TensorFlow works, and free memory."
            )
        return dict(json.loads(line))


@contextmanager
def tutorial(model: Path, float_model: Path | None) -> Iterator[BaselineProcess]:
    """Start the tutorial's pipeline; without TensorFlow it reads with `model`, an int8 file.

    `float_model` is a model.keras in place of the tutorial's own network. Raises UserError where
    that cannot be.
    """
    keras = all(importlib.util.find_spec(name) for name in ("keras", "tensorflow"))
    if float_model is not None:
        if not float_model.is_file():
            raise UserError(f"There is no {float_model}; give --float a model.keras.")
        if not keras:
            raise UserError("--float needs TensorFlow; run `pip install 'mien[train]'`.")
    arguments = ["keras", *([str(float_model)] if float_model else [])]
    if not keras:
        arguments = ["tflite", str(model)]
    command = module_command("mien.bench.baselines.tutorial", *arguments)
    with _running(command, "the tutorial's pipeline") as other:
        yield other


@contextmanager
def fer(python: Path) -> Iterator[BaselineProcess]:
    """Start the package `fer` by the Python of an environment that has it; raises UserError."""
    if not os.access(python, os.X_OK) or python.is_dir():
        raise UserError(
            f"{python} cannot be started as Python; give --fer the bin/python of an "
            "environment with `pip install fer`."
        )
    command = module_command("mien.bench.baselines.fer", python=str(python))
    with _running(command, "the package fer") as other:
        yield other


@contextmanager
def _running(command: list[str], what: str) -> Iterator[BaselineProcess]:
    paths = (str(Path(__file__).parents[3]), os.environ.get("PYTHONPATH"))
    with (
        tempfile.TemporaryFile() as log,
        subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))},
        ) as process,
    ):
        try:
            yield BaselineProcess(process, log, what)
        finally:
            process.kill()
            with contextlib.suppress(BrokenPipeError):
                assert process.stdin
                process.stdin.close()


def compare(
    build: Callable[[], VideoPipeline],
    others: Mapping[str, BaselineProcess],
    frames: int,
    width: int = 640,
    height: int = 480,
) -> dict[str, Any]:
    """Run all pipelines on each frame of the scene with one face, on the core of the caller."""
    pipeline, scene = build(), Scene(1, width, height)
    watch, found = Stopwatch(), DetectionCounts()
    answers: dict[str, list[BaselineResult]] = {name: [] for name in others}
    theirs = {name: DetectionCounts() for name in others}
    for index in range(frames):
        frame, truth = scene.frame(index), scene.boxes(index)
        with watch.running():
            result = pipeline.process(frame)
        found.add(truth, [face.box for face in result.faces])
        for name, other in others.items():
            answer = other.process(frame.gray)
            answers[name].append(answer)
            theirs[name].add(truth, answer.boxes)
    ours = watch.times()
    document: dict[str, Any] = {"faces": 1, "width": width, "height": height}
    document["mien"] = {**ours.summary(), **found.summary()}
    for name, other in others.items():
        times = Times(
            tuple(a.wall_ms for a in answers[name]), tuple(a.cpu_ms for a in answers[name])
        )
        document[name] = {
            "classifier": other.classifier,
            **times.summary(),
            **theirs[name].summary(),
            "ratio": ratio(times, ours),
        }
    return document


def ratio(slow: Times, fast: Times) -> dict[str, float]:
    """Return the ratios of the mean CPU and wall times."""
    return {
        "cpu": round(sum(slow.cpu) / sum(fast.cpu), 1),
        "wall": round(sum(slow.wall) / sum(fast.wall), 1),
    }
