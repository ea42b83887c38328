"""The stages of one frame, each by itself, on the scene with one face at 640x480."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from edge.bench.scenes import Scene
from edge.classifier import Classifier
from edge.crop import face_input
from edge.detect import HaarDetector
from edge.draw import annotate
from edge.faces import Face
from edge.reading import read

WIDTH, HEIGHT = 640, 480  # px


@dataclass(frozen=True)
class Stage:
    """One piece of work."""

    name: str
    what: str
    run: Callable[[], object]


def stages(classifier: Classifier) -> list[Stage]:
    """Return what a frame is made of; writing and encoding files are no part of it."""
    scene = Scene(1, WIDTH, HEIGHT)
    gray = scene.frame(0).gray
    box = scene.boxes(0)[0]
    metadata = classifier.metadata
    face = face_input(gray, box, metadata)
    faces = np.stack([face])
    logits = classifier.logits(faces)[0]
    reading = read(logits, metadata)
    bgr = cv2.cvtColor(gray, cv2.COLOR_GRAY2BGR)
    picture = np.asarray(bgr, np.uint8)
    detector = HaarDetector()
    return [
        Stage("search frame", "Haar in the whole frame", lambda: detector.detect(gray)),
        Stage("crop", "face cut out and resized", lambda: face_input(gray, box, metadata)),
        Stage("classify", "one face through the network", lambda: classifier.logits(faces)),
        Stage("read", "softmax and label", lambda: read(logits, metadata)),
        Stage("draw", "box and label", lambda: annotate(picture, (Face(box, reading),))),
    ]
