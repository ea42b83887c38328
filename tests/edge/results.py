"""Results and pictures made for the outputs' tests, without a detector or a model."""

from __future__ import annotations

import numpy as np
from mien.classification.prediction import Prediction
from mien.pipeline.results import Face, FrameResult
from mien.sources.base import Frame

LABELS = ("happy", "sad")


def reading(happy: float, threshold: float = 0.6) -> Prediction:
    emotion = "happy" if happy >= 0.5 else "sad"
    confidence = max(happy, 1 - happy)
    named = emotion if confidence >= threshold else "uncertain"
    # What numpy gives, not what JSON likes.
    return Prediction(named, float(np.float64(confidence)), {"happy": happy, "sad": 1 - happy})


def result(index: int, time: float, *happy: float) -> FrameResult:
    faces = tuple(
        Face((np.int32(10 * i), 20, 30, 40), reading(np.float64(p)))  # type: ignore[arg-type]
        for i, p in enumerate(happy)
    )
    return FrameResult(index, time, faces, {"detect": 1.23456, "classify": 0.5, "total": 1.8})


def frame(index: int, time: float, picture: str | None = None) -> Frame:
    return Frame(index, time, np.zeros((4, 4), np.uint8), None, picture)


def paint(value: int, width: int = 64, height: int = 48) -> np.ndarray:
    return np.full((height, width, 3), value, np.uint8)
