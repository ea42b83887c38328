"""Runs all measurements of `mien bench` one after the other."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mien.bench.baselines.compare import compare, fer, tutorial
from mien.bench.clips import clips_mean, time_clip
from mien.bench.end_to_end import FACES, SIZES, time_pipeline
from mien.bench.environment import machine
from mien.bench.inference import litert_benchmark, time_model
from mien.bench.memory import measure_memory, measure_start
from mien.bench.stages import stages
from mien.bench.timing import measure, one_core
from mien.classification.classifier import Classifier
from mien.console import progress
from mien.detection import DEFAULT_DETECTOR, open_detector
from mien.pipeline.video import VideoPipeline
from mien.tflite.model_file import Model

QUICK_FACES, QUICK_SIZES = (1, 5), ((640, 480),)
MEMORY_FRAMES = 300


@dataclass(frozen=True)
class BenchOptions:
    """Options of a benchmark run."""

    frames: int  # of each scene
    threads: int  # of the classifier in the pipeline
    cores: int  # up to which the model alone is timed
    baseline: bool = False
    float_model: Path | None = None  # a model.keras for the tutorial's pipeline
    fer_python: Path | None = None  # of an environment with the package fer, to run that too
    soak: int = 0  # frames over which memory is watched
    quick: bool = False
    detector: str = DEFAULT_DETECTOR
    clips: tuple[Path, ...] = ()  # video files, whose mean is then the headline

    @property
    def runs(self) -> int:
        """Runs of one model or stage."""
        return 20 if self.quick else 200


def measure_all(model: Model, options: BenchOptions) -> dict[str, Any]:
    """Return the document that `mien bench` prints.

    Model and stages are timed first, then the scenes; processes of their own come last.
    """
    frames = max(1, options.frames // 10) if options.quick else options.frames
    document: dict[str, Any] = {
        "machine": machine(),
        "model": {
            "name": model.metadata.name,
            "version": model.metadata.version,
            "sha256": model.metadata.sha256,
            "input_size": model.metadata.input_size,
        },
        "detector": options.detector,
        "model_alone": [],
        "stages": [],
        "pipeline": [],
    }
    steps = [
        *_model_steps(document, model, options),
        lambda: document.update(_stages(model, options)),
        *_pipeline_steps(document, model, options, frames),
        *_clip_steps(document, model, options),
    ]
    if options.baseline:
        steps.append(lambda: document.update(baseline=_baseline(model, options, frames)))
    path = str(model.path)
    length = options.soak or (frames if options.quick else MEMORY_FRAMES)
    steps.append(lambda: document.update(memory_mb=measure_memory(path, options.detector, length)))
    steps.append(
        lambda: document.update(
            start=measure_start(path, options.detector, 1 if options.quick else 5)
        )
    )
    for step in progress(steps, len(steps), "measurements"):
        step()
    return document


Step = Callable[[], object]


def _model_steps(document: dict[str, Any], model: Model, options: BenchOptions) -> list[Step]:
    def alone(threads: int, xnnpack: bool) -> None:
        if threads == 1:
            with one_core():
                entry = time_model(model, threads, xnnpack, options.runs)
        else:
            entry = time_model(model, threads, xnnpack, options.runs)
        document["model_alone"].append(entry)

    def checked() -> None:
        with one_core():
            document["litert_benchmark"] = litert_benchmark(model, 1, options.runs)

    counts = range(1, options.cores + 1)
    steps: list[Step] = [
        lambda t=t, x=x: alone(t, x)  # type: ignore[misc]
        for x in (True, False)
        for t in counts
    ]
    return [*steps, checked]


def _stages(model: Model, options: BenchOptions) -> dict[str, Any]:
    with one_core():
        classifier = Classifier(model, options.threads)
        entries = [
            {"stage": stage.name, "what": stage.what, **measure(stage.run, options.runs).summary()}
            for stage in stages(classifier, open_detector(options.detector))
        ]
    return {"xnnpack": classifier.xnnpack, "stages": entries}


def _pipeline_steps(
    document: dict[str, Any], model: Model, options: BenchOptions, frames: int
) -> list[Step]:
    def whole(faces: int, width: int, height: int) -> None:
        with one_core():
            entry = time_pipeline(_builder(model, options), faces, width, height, frames)
        document["pipeline"].append(entry)

    return [
        lambda f=f, w=w, h=h: whole(f, w, h)  # type: ignore[misc]
        for w, h in (QUICK_SIZES if options.quick else SIZES)
        for f in (QUICK_FACES if options.quick else FACES)
    ]


def _clip_steps(document: dict[str, Any], model: Model, options: BenchOptions) -> list[Step]:
    def clip(path: Path) -> None:
        with one_core():
            entry = time_clip(_builder(model, options), path)
        document.setdefault("clips", []).append(entry)
        document["clips_mean"] = clips_mean(document["clips"])

    return [lambda path=path: clip(path) for path in options.clips]  # type: ignore[misc]


def _baseline(model: Model, options: BenchOptions, frames: int) -> dict[str, Any]:
    with one_core(), contextlib.ExitStack() as running:
        others = {"tutorial": running.enter_context(tutorial(model.path, options.float_model))}
        if options.fer_python is not None:
            others["fer"] = running.enter_context(fer(options.fer_python))
        return compare(_builder(model, options), others, frames)


def _builder(model: Model, options: BenchOptions) -> Callable[[], VideoPipeline]:
    return lambda: VideoPipeline(model, options.threads, detector=open_detector(options.detector))
