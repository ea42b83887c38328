"""Results of the pipelines: faces with their predictions, frame by frame."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from mien.boxes import Box
from mien.classification.prediction import Prediction


@dataclass(frozen=True)
class Face:
    """One detected face with its box, track id and prediction."""

    box: Box  # left, top, width, height in px of the picture
    prediction: Prediction
    id: int | None = None  # track id, from 1; None in a still picture
    age: float = 0.0  # s since the classifier last ran on this face

    @property
    def emotion(self) -> str:
        """Most probable label, or "uncertain" below the model's threshold."""
        return self.prediction.emotion

    @property
    def confidence(self) -> float:
        """Largest probability, 0 to 1, also where the emotion is "uncertain"."""
        return self.prediction.confidence

    @property
    def probabilities(self) -> dict[str, float]:
        """Probability of every label, in the model's order; they sum to 1."""
        return self.prediction.probabilities

    def to_json(self) -> dict[str, Any]:
        """Return id, box, emotion, confidence and probabilities as plain JSON values."""
        return {
            "id": self.id,
            "box": [int(value) for value in self.box],
            "emotion": self.emotion,
            "confidence": round(float(self.confidence), 4),
            "probabilities": {label: round(float(p), 4) for label, p in self.probabilities.items()},
        }


@dataclass(frozen=True)
class FrameResult:
    """Faces of one frame, and the time their computation took."""

    frame: int  # index of the frame
    time: float  # s, timestamp of the frame
    faces: tuple[Face, ...]
    ms: dict[str, float]  # "detect", "classify" and "total", milliseconds
    latency: float | None = None  # s from capture to this result; None for files
    # Pixels of the frame, uint8 [H, W] or [H, W, 3] BGR; only `mien.Reader.stream` sets them.
    image: npt.NDArray[np.uint8] | None = field(default=None, compare=False, repr=False)
