"""Stages of the pipeline, each alone, on the scene with one face at 640x480."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from mien.bench.scenes import FPS, Scene
from mien.boxes import face_to_square
from mien.classification.classifier import Classifier
from mien.classification.prediction import decode_prediction
from mien.classification.preprocess import preprocess_face
from mien.detection.base import Detector
from mien.outputs.annotate import annotate
from mien.pipeline.results import Face
from mien.tracking.tracker import Tracker

WIDTH, HEIGHT = 640, 480  # px
LOOP = 30  # frames of the scene that are shown over and over


@dataclass(frozen=True)
class Stage:
    """A stage to time."""

    name: str
    what: str
    run: Callable[[], object]


def _track(scene: Scene, detector: Detector) -> Callable[[], object]:
    """Return a step of a tracker that has found the scene's face, the next frame each time."""
    tracker = Tracker(detector)
    frames = [scene.frame(index) for index in range(LOOP)]
    steps = itertools.count()

    def step() -> None:
        index = next(steps)
        # There and back, so that no face jumps.
        place = LOOP - 1 - abs(index % (2 * LOOP - 2) - (LOOP - 1))
        tracker.update(frames[place].gray, index / FPS)

    for _ in range(LOOP):
        step()
    return step


def stages(classifier: Classifier, detector: Detector) -> list[Stage]:
    """Return the stages of a frame, without writing and encoding files."""
    scene = Scene(1, WIDTH, HEIGHT)
    gray = scene.frame(0).gray
    box = scene.boxes(0)[0]
    square = face_to_square(box)
    metadata = classifier.metadata
    face = preprocess_face(gray, square, metadata)
    faces = np.stack([face])
    logits = classifier.logits(faces)[0]
    reading = decode_prediction(logits, metadata)
    bgr = cv2.cvtColor(gray, cv2.COLOR_GRAY2BGR)
    picture = np.asarray(bgr, np.uint8)
    return [
        Stage("detect", "the whole frame", lambda: detector.detect(gray)),
        Stage("detect fine", "the whole frame at twice the size", lambda: detector.detect(gray, 2)),
        Stage("track", "one moving face, detections included", _track(scene, detector)),
        Stage("crop", "face cut out and resized", lambda: preprocess_face(gray, square, metadata)),
        Stage("classify", "one face through the network", lambda: classifier.logits(faces)),
        Stage("read", "softmax and label", lambda: decode_prediction(logits, metadata)),
        Stage("draw", "box and label", lambda: annotate(picture, (Face(box, reading),))),
    ]
