"""Mien's pipeline and the tutorial's on the same frames, one after the other, on the same core."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from edge.bench.scenes import Gray, Scene
from edge.bench.timing import Stopwatch, Times
from edge.bench.whole import Found
from edge.crop import Box
from edge.engine import Engine
from edge.errors import UserError


@dataclass(frozen=True)
class Answer:
    """What the tutorial's pipeline made of one frame."""

    wall_ms: float
    cpu_ms: float
    boxes: list[Box]


class Tutorial:
    """The running process; see edge/bench/tutorial.py."""

    def __init__(self, process: subprocess.Popen[bytes], log: IO[bytes]) -> None:
        self._process, self._log = process, log
        self.classifier: str = self._line()["classifier"]

    def process(self, gray: Gray) -> Answer:
        """Hand it a frame, uint8 [H, W], and wait."""
        assert self._process.stdin
        height, width = gray.shape
        head = json.dumps({"width": width, "height": height}) + "\n"
        with contextlib.suppress(BrokenPipeError):  # why it has ended is said below
            self._process.stdin.write(head.encode() + gray.tobytes())
            self._process.stdin.flush()
        answer = self._line()
        boxes: list[Box] = [(x, y, w, h) for x, y, w, h in answer["boxes"]]
        return Answer(answer["wall_ms"], answer["cpu_ms"], boxes)

    def _line(self) -> dict[str, Any]:
        assert self._process.stdout
        line = self._process.stdout.readline()
        if not line:
            self._log.seek(0)
            said = self._log.read().decode(errors="replace").strip().splitlines()
            raise UserError(
                f"The tutorial's pipeline ended before it was done ({said[-1] if said else 'mute'})"
                "; check with `python -c 'import keras'` that TensorFlow works, and free memory."
            )
        return dict(json.loads(line))


@contextmanager
def tutorial(model: Path, float_model: Path | None) -> Iterator[Tutorial]:
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
    with (
        tempfile.TemporaryFile() as log,
        subprocess.Popen(
            [sys.executable, "-m", "edge.bench.tutorial", *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
        ) as process,
    ):
        try:
            yield Tutorial(process, log)
        finally:
            process.kill()
            with contextlib.suppress(BrokenPipeError):
                assert process.stdin
                process.stdin.close()


def compare(
    build: Callable[[], Engine], other: Tutorial, frames: int, width: int = 640, height: int = 480
) -> dict[str, Any]:
    """Give each frame of the scene with one face to both; both run on the core of the caller."""
    engine, scene = build(), Scene(1, width, height)
    watch, found = Stopwatch(), Found()
    answers, theirs = [], Found()
    for index in range(frames):
        frame, truth = scene.frame(index), scene.boxes(index)
        with watch.running():
            result = engine.process(frame)
        found.add(truth, [face.box for face in result.faces])
        answers.append(other.process(frame.gray))
        theirs.add(truth, answers[-1].boxes)
    ours = watch.times()
    tutorials = Times(tuple(a.wall_ms for a in answers), tuple(a.cpu_ms for a in answers))
    return {
        "faces": 1,
        "width": width,
        "height": height,
        "classifier": other.classifier,
        "mien": {**ours.summary(), **found.summary()},
        "tutorial": {**tutorials.summary(), **theirs.summary()},
        "ratio": ratio(tutorials, ours),
    }


def ratio(slow: Times, fast: Times) -> dict[str, float]:
    """Return how many times as long the slow one takes: the means of the CPU's and wall's times."""
    return {
        "cpu": round(sum(slow.cpu) / sum(fast.cpu), 1),
        "wall": round(sum(slow.wall) / sum(fast.wall), 1),
    }
