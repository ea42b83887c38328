"""Results of the pipelines: faces with their predictions, frame by frame."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from mien.alertness.signals import Alertness
from mien.boxes import Box, Landmarks
from mien.classification.prediction import Prediction
from mien.head_pose import roll_degrees, yaw_degrees


@dataclass(frozen=True)
class Face:
    """One detected face with its box, track id and prediction."""

    box: Box  # left, top, width, height in px of the picture: upright, forehead to chin
    prediction: Prediction
    id: int | None = None  # track id, from 1; None in a still picture
    age: float = 0.0  # s since the classifier last ran on this face
    # px of the picture: right eye, left eye (the person's own sides), nose, right and left corner
    # of the mouth; None where the detector gives none.
    landmarks: Landmarks | None = None
    alertness: Alertness | None = None  # signals of eyes, mouth and head; None unless asked for

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

    @property
    def roll(self) -> float | None:
        """Turn of the head in the picture's plane, degrees, clockwise above 0; None without
        landmarks."""
        return None if self.landmarks is None else roll_degrees(self.landmarks)

    @property
    def yaw(self) -> float | None:
        """Turn of the head to the picture's right, degrees, coarse; None without landmarks."""
        return None if self.landmarks is None else yaw_degrees(self.landmarks)

    def to_json(self) -> dict[str, Any]:
        """Return id, box, emotion, confidence and probabilities as plain JSON values.

        Where alertness was asked for its signals follow.
        """
        content: dict[str, Any] = {
            "id": self.id,
            "box": [int(value) for value in self.box],
            "emotion": self.emotion,
            "confidence": round(float(self.confidence), 4),
            "probabilities": {label: round(float(p), 4) for label, p in self.probabilities.items()},
        }
        if self.alertness is not None:
            content["alertness"] = self.alertness.to_json()
        return content


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
