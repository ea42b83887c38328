"""Baselines of `mien bench`, as a process that gets frames: the tutorial's pipeline, or `fer`.

Started by edge/mien/bench/baseline.py as `PYTHON -m mien.bench.baseline_process KIND MODEL`, so
that what it imports is not in Mien's process; PYTHON may be of an environment that has `fer`, whose
requirements do not go together with Mien's, and that needs no more than NumPy and OpenCV beside it.
KIND is `fer`, `keras` (the tutorial's network, whose random weights cost as much as trained ones)
or `tflite` (MODEL in its place, where TensorFlow is missing). The first line says {"classifier":
...}; then it reads lines of JSON {"width", "height"}, each followed by the gray bytes of a frame,
and answers each with {"wall_ms", "cpu_ms", "boxes"}.

The tutorial converts color to gray, loads the cascade for each frame, searches the whole
frame with OpenCV's default arguments and gives the last box that was found to Keras' `predict`. It
crashes where nothing is found; here that frame ends there.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.metadata
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

import cv2
import numpy as np
import numpy.typing as npt

from mien.detection.haar import DEBIAN_CASCADES

Pixels = npt.NDArray[np.uint8]
Classify = Callable[[Pixels], object]  # takes a face, uint8 [h, w, 3]
Process = Callable[[Pixels], list[list[int]]]  # takes a frame, uint8 [H, W, 3]; gives boxes

CASCADE = "haarcascade_frontalface_default.xml"
TUTORIAL_SIZE = 224  # px


def main() -> None:
    """Name the classifier, then answer the frames of standard input until its end."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
    # TensorFlow writes to file descriptor 1 too; the answers keep a descriptor of their own.
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    kind, model = sys.argv[1:]
    name, find = fer() if kind == "fer" else tutorial(kind, model)
    cv2.setNumThreads(1)
    answers.write(json.dumps({"classifier": name}) + "\n")
    while (frame := read_frame(sys.stdin.buffer)) is not None:
        cpu, wall = time.process_time_ns(), time.perf_counter_ns()
        boxes = find(frame)
        wall, cpu = time.perf_counter_ns() - wall, time.process_time_ns() - cpu
        answer = {"wall_ms": wall / 1e6, "cpu_ms": cpu / 1e6, "boxes": boxes}
        answers.write(json.dumps(answer) + "\n")


def read_frame(stream: BinaryIO) -> Pixels | None:
    """Read a frame, uint8 [H, W, 3]; None at the end."""
    line = stream.readline()
    if not line:
        return None
    size = json.loads(line)
    data = stream.read(size["width"] * size["height"])
    gray = np.frombuffer(data, np.uint8).reshape(size["height"], size["width"])
    return np.asarray(cv2.cvtColor(gray, cv2.COLOR_GRAY2BGR), np.uint8)


def fer() -> tuple[str, Process]:
    """Return the package fer with its own defaults."""
    reader: Any = importlib.import_module("fer.fer").FER()

    def process(frame: Pixels) -> list[list[int]]:
        return [[int(v) for v in face["box"]] for face in reader.detect_emotions(frame)]

    return f"fer {importlib.metadata.version('fer')}, its own defaults", process


def tutorial(kind: str, model: str) -> tuple[str, Process]:
    """Return the tutorial's pipeline."""
    name, classify = keras_classifier() if kind == "keras" else tflite_classifier(model)
    return name, lambda frame: process_frame(frame, classify)


def process_frame(frame: Pixels, classify: Classify) -> list[list[int]]:
    """Run the tutorial's pipeline on one frame, uint8 [H, W, 3]; return the boxes."""
    folders = [Path(cv2.data.haarcascades)] if hasattr(cv2, "data") else []
    folder = next(folder for folder in (*folders, DEBIAN_CASCADES) if folder.is_dir())
    cascade = cv2.CascadeClassifier(str(folder / CASCADE))
    gray = cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY)
    boxes = [[int(value) for value in box] for box in cascade.detectMultiScale(gray)]
    if boxes:
        x, y, w, h = boxes[-1]
        classify(frame[y : y + h, x : x + w])
    return boxes


def keras_classifier() -> tuple[str, Classify]:
    """Return Keras' `predict` of the tutorial's network."""
    # By name: nothing of mien imports Keras but this other pipeline, in its own process.
    keras: Any = importlib.import_module("keras")
    side = TUTORIAL_SIZE
    network = keras.applications.MobileNetV2(input_shape=(side, side, 3), weights=None, classes=7)

    def classify(face: Pixels) -> object:
        return network.predict(cv2.resize(face, (side, side))[None] / 255.0)

    with contextlib.redirect_stdout(sys.stderr):
        classify(np.zeros((64, 64, 3), np.uint8))  # the first call compiles
    return f"the tutorial's MobileNetV2, {side} px, random weights, Keras predict", classify


def tflite_classifier(file: str) -> tuple[str, Classify]:
    """Return Mien's own int8 network."""
    from mien.classification.classifier import Classifier
    from mien.tflite.model_file import load_model

    classifier = Classifier(load_model(file))
    side = classifier.metadata.input_size

    def classify(face: Pixels) -> object:
        gray = cv2.resize(cv2.cvtColor(face, cv2.COLOR_BGR2GRAY), (side, side))
        return classifier.logits(np.asarray(gray, np.uint8)[None])

    return f"{classifier.metadata.name}, {side} px, int8", classify


if __name__ == "__main__":
    main()
