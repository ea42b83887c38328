"""Baseline: the pipeline of the tutorial that Mien grew from, as a process that gets frames.

Started by edge/mien/bench/baselines/compare.py as `python -m mien.bench.baselines.tutorial
CLASSIFIER [FILE]`, so that
what it imports is not in Mien's process. CLASSIFIER is `keras` (FILE a model.keras, or without FILE
the tutorial's own network, whose random weights cost as much as trained ones) or `tflite` (FILE a
model file). Its first line says {"classifier": ...}; then it reads lines of JSON {"width",
"height"}, each followed by the gray bytes of a frame, and answers each with {"wall_ms", "cpu_ms",
"boxes"}.

What it does for a frame is what the tutorial does: colour to gray, a cascade built anew, searched
with OpenCV's default arguments in the whole frame, and the last box that was found given to Keras'
`predict`. The tutorial crashes where nothing is found; here that frame ends there.
"""

from __future__ import annotations

import contextlib
import importlib
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
    """Answer frames until there are no more."""
    kind, file = sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else None

    def start() -> tuple[str, Process]:
        name, classify = keras_classifier(file) if kind == "keras" else tflite_classifier(str(file))
        return name, lambda frame: process(frame, classify)

    serve(start)


def serve(start: Callable[[], tuple[str, Process]]) -> None:
    """Name the classifier, then answer the frames of standard input until its end."""
    # TensorFlow writes to file descriptor 1 too; the answers keep a descriptor of their own.
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    cv2.setNumThreads(1)
    name, find = start()
    answers.write(json.dumps({"classifier": name}) + "\n")
    while (frame := read_frame(sys.stdin.buffer)) is not None:
        cpu, wall = time.process_time_ns(), time.perf_counter_ns()
        boxes = find(frame)
        wall, cpu = time.perf_counter_ns() - wall, time.process_time_ns() - cpu
        answer = {"wall_ms": wall / 1e6, "cpu_ms": cpu / 1e6, "boxes": boxes}
        answers.write(json.dumps(answer) + "\n")


def process(frame: Pixels, classify: Classify) -> list[list[int]]:
    """Run the tutorial's pipeline on one frame, uint8 [H, W, 3]; return the boxes."""
    cascade = cv2.CascadeClassifier(str(cascade_file()))
    gray = cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY)
    boxes = [[int(value) for value in box] for box in cascade.detectMultiScale(gray)]
    if boxes:
        x, y, w, h = boxes[-1]
        classify(frame[y : y + h, x : x + w])
    return boxes


def cascade_file() -> Path:
    """Return the path of the tutorial's cascade."""
    folders = [Path(cv2.data.haarcascades)] if hasattr(cv2, "data") else []
    return next(folder / CASCADE for folder in (*folders, DEBIAN_CASCADES) if folder.is_dir())


def read_frame(stream: BinaryIO) -> Pixels | None:
    """Read a frame, uint8 [H, W, 3]; None at the end."""
    line = stream.readline()
    if not line:
        return None
    size = json.loads(line)
    data = stream.read(size["width"] * size["height"])
    gray = np.frombuffer(data, np.uint8).reshape(size["height"], size["width"])
    return np.asarray(cv2.cvtColor(gray, cv2.COLOR_GRAY2BGR), np.uint8)


def keras_classifier(file: str | None) -> tuple[str, Classify]:
    """Return Keras' `predict` of a model.keras, or of the tutorial's network."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
    # By name: nothing of edge imports Keras but this other pipeline, in its own process.
    keras: Any = importlib.import_module("keras")
    if file is None:
        side, channels = TUTORIAL_SIZE, 3
        network = keras.applications.MobileNetV2(
            input_shape=(side, side, channels), weights=None, classes=7
        )
        name = f"the tutorial's MobileNetV2, {side} px, random weights, Keras predict"
    else:
        network = keras.saving.load_model(file, compile=False)
        side, channels = int(network.inputs[0].shape[1]), int(network.inputs[0].shape[3])
        name = f"{network.name}, {side} px, Keras predict"

    def classify(face: Pixels) -> object:
        picture = face if channels == 3 else cv2.cvtColor(face, cv2.COLOR_BGR2GRAY)[..., None]
        resized = cv2.resize(picture, (side, side)).reshape(1, side, side, channels)
        return network.predict(resized / 255.0)

    with contextlib.redirect_stdout(sys.stderr):
        classify(np.zeros((64, 64, 3), np.uint8))  # the first call compiles
    return name, classify


def tflite_classifier(file: str) -> tuple[str, Classify]:
    """Return Mien's own int8 network, where TensorFlow is not installed."""
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
