"""Runs all measurements of `mien bench` one after the other."""

from __future__ import annotations

import contextlib
import os
import platform
import statistics
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from mien.bench.baseline import compare, start_baseline
from mien.bench.memory import measure_memory
from mien.bench.scenes import DetectionCounts, Scene
from mien.bench.timing import Stopwatch, affinity, one_core
from mien.classification.classifier import Classifier
from mien.console import progress
from mien.detection import DEFAULT_DETECTOR, open_detector
from mien.errors import UserError
from mien.pipeline.video import VideoPipeline
from mien.sources.base import Frame
from mien.sources.video import open_video
from mien.tflite.model_file import Model

SIZES = ((320, 240), (640, 480), (1280, 720))  # px
FACES = (1, 2, 5, 10)
RUNS = 200  # of the classifier alone
MEMORY_FRAMES = 300
VIDEO_SUFFIXES = (".mp4", ".mkv", ".avi", ".mov", ".webm")
Build = Callable[[], VideoPipeline]


@dataclass(frozen=True)
class BenchOptions:
    """Options of a benchmark run."""

    frames: int  # of each scene
    threads: int = 1  # of the classifier in the pipeline
    baseline: bool = False
    fer_python: Path | None = None  # of an environment with the package fer, to run that too
    soak: int = 0  # frames over which memory is watched
    detector: str = DEFAULT_DETECTOR
    clips: tuple[Path, ...] = ()  # video files, whose mean is then the headline


def measure_all(model: Model, options: BenchOptions) -> dict[str, Any]:
    """Return the document that `mien bench` prints; processes of their own come last."""
    metadata = model.metadata
    document: dict[str, Any] = {
        "machine": machine(),
        "model": {"name": metadata.name, "version": metadata.version, "sha256": metadata.sha256},
        "detector": options.detector,
        "classifier": [],
        "pipeline": [],
        "clips": [],
    }

    def build() -> VideoPipeline:
        return VideoPipeline(model, options.threads, detector=open_detector(options.detector))

    def add(key: str, work: Callable[[], Any]) -> None:
        with one_core():
            document[key].append(work())

    cores = len(affinity()) or os.cpu_count() or 1
    steps: list[Callable[[], Any]] = [
        lambda: document["classifier"].extend(time_classifier(model, n + 1) for n in range(cores)),
        *(
            partial(add, "pipeline", partial(time_scene, build, faces, *size, options.frames))
            for size in SIZES
            for faces in FACES
        ),
        *(partial(add, "clips", partial(time_clip, build, path)) for path in options.clips),
    ]
    if options.baseline:
        steps.append(lambda: document.update(baseline=_baseline(model, build, options)))
    length = options.soak or min(MEMORY_FRAMES, options.frames)
    memory = partial(measure_memory, str(model.path), options.detector, length)
    steps.append(lambda: document.update(memory_mb=memory()))
    for step in progress(steps, len(steps), "measurements"):
        step()
    if options.clips:
        document["clips_mean"] = {
            clock: round(statistics.fmean(clip[clock]["mean"] for clip in document["clips"]), 4)
            for clock in ("wall_ms", "cpu_ms")
        }
    return document


def machine() -> dict[str, Any]:
    """Return processor, cores, load and versions."""
    board = Path("/proc/device-tree/model")
    info = Path("/proc/cpuinfo")
    names = [
        line.partition(":")[2].strip()
        for line in (info.read_text("utf-8", "replace") if info.exists() else "").splitlines()
        if line.partition(":")[0].strip() in ("model name", "Model")
    ]
    return {
        "processor": board.read_text().strip("\0\n ") if board.exists() else (names or [""])[0],
        "architecture": platform.machine(),
        "usable_cores": len(affinity()) or os.cpu_count(),
        "load_average": round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None,
        "system": f"{platform.system()} {platform.release()}",
        "versions": {
            "mien": version("mien"),
            "python": platform.python_version(),
            "numpy": np.__version__,
            "opencv": cv2.__version__,
        },
    }


def time_classifier(model: Model, threads: int) -> dict[str, Any]:
    """Time the classifier on one face; "xnnpack" is None where that is unknown."""
    classifier, watch = Classifier(model, threads), Stopwatch()
    side = model.metadata.input_size
    face = np.random.default_rng(7).integers(0, 256, (1, side, side), np.uint8)
    classifier.logits(face)
    for _ in range(RUNS):
        with watch.running():
            classifier.logits(face)
    return {"threads": threads, "xnnpack": classifier.xnnpack, **watch.summary()}


def time_scene(build: Build, faces: int, width: int, height: int, frames: int) -> dict[str, Any]:
    """Run a new pipeline over a scene, gray frame in to result out, the first frame included.

    The mean is what counts: a pipeline may look everywhere in some frames and nearby in most.
    """
    pipeline = build()
    scene, watch, counts = Scene(faces, width, height), Stopwatch(), DetectionCounts()
    for index in range(frames):
        frame = scene.frame(index)
        with watch.running():
            result = pipeline.process(frame)
        counts.add(scene.boxes(index), [face.box for face in result.faces])
    size = {"faces": faces, "width": width, "height": height}
    return {**size, **watch.summary(), **counts.summary()}


def clips_in(path: Path) -> list[Path]:
    """Return a video file, or a folder's by name; raises UserError for a place without videos."""
    if path.is_file():
        return [path]
    found = sorted(path.glob("*")) if path.is_dir() else []
    found = [file for file in found if file.suffix.lower() in VIDEO_SUFFIXES]
    if not found:
        kinds = ", ".join(VIDEO_SUFFIXES)
        raise UserError(f"There are no videos at {path}; give --clip a file or folder of {kinds}.")
    return found


def time_clip(build: Build, path: Path) -> dict[str, Any]:
    """Run a new pipeline over a video file, gray frame in to result out, decoding not counted."""
    pipeline, watch, faces, size = build(), Stopwatch(), 0, (0, 0)
    with contextlib.closing(open_video(path, False, lambda sentence: None)) as source:
        for frame in source.frames():
            assert isinstance(frame, Frame)
            with watch.running():
                result = pipeline.process(frame)
            faces += len(result.faces)
            size = frame.gray.shape
    entry = {"clip": path.name, "width": size[1], "height": size[0]}
    return {**entry, "faces": round(faces / max(1, len(watch.wall)), 2), **watch.summary()}


def _baseline(model: Model, build: Build, options: BenchOptions) -> dict[str, Any]:
    with one_core(), contextlib.ExitStack() as running:
        others = {"tutorial": running.enter_context(start_baseline(model.path))}
        if options.fer_python is not None:
            others["fer"] = running.enter_context(start_baseline(model.path, options.fer_python))
        return compare(build, others, options.frames)
