"""Labelled samples for a profile: logits of faces in pictures, and in takes of a camera."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from mien.classification.profile import ProfileFit, fit_profile
from mien.pipeline.results import Face
from mien.pipeline.still import ImagePipeline
from mien.pipeline.video import VideoPipeline
from mien.sources.base import Change, Frame
from mien.tflite.metadata import Metadata

TAKE_S = 3.0  # s, long enough for thirty predictions
SAMPLE_S = (
    1.0  # s of a take whose predictions are averaged to one sample: frames resemble each other
)


@dataclass
class Samples:
    """Labelled logits, and which take each belongs to."""

    logits: list[npt.NDArray[np.float64]] = field(default_factory=list)  # each [K]
    labels: list[int] = field(default_factory=list)
    groups: list[int] = field(default_factory=list)

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self.labels)

    def add(self, rows: Iterable[npt.NDArray[np.float64]], label: int) -> None:
        """Add the samples of one picture or take."""
        group = self.groups[-1] + 1 if self.groups else 0
        for row in rows:
            self.logits.append(row)
            self.labels.append(label)
            self.groups.append(group)

    def fit(
        self, metadata: Metadata, name: str, progress: Callable[[range], Any] = iter
    ) -> ProfileFit:
        """Fit a profile to them, see `fit_profile`; raises UserError."""
        return fit_profile(
            np.array(self.logits),
            np.array(self.labels, np.int64),
            metadata,
            name,
            np.array(self.groups, np.int64),
            progress,
        )


def logits_of(face: Face, metadata: Metadata) -> npt.NDArray[np.float64]:
    """Return a face's logits, float64 [K], from its probabilities; a shared offset is lost."""
    probabilities = np.array([face.probabilities[label] for label in metadata.labels])
    logits = metadata.temperature * np.log(np.maximum(probabilities, 1e-12))
    return np.asarray(logits - logits.mean(), np.float64)


def sample_picture(
    pipeline: ImagePipeline, gray: npt.NDArray[np.uint8], cropped: bool
) -> npt.NDArray[np.float64] | None:
    """Return the logits, float64 [K], of the largest face of a picture; None without a face."""
    faces = pipeline.read(gray, [None]) if cropped else pipeline.process(Frame(0, 0.0, gray)).faces
    return logits_of(faces[0], pipeline.metadata) if faces else None


def record_take(
    frames: Iterable[Frame | Change], pipeline: VideoPipeline, seconds: float
) -> list[Face]:
    """Return the largest face of each new prediction in the next `seconds` of frames."""
    faces: list[Face] = []
    start: float | None = None
    for frame in frames:
        if not isinstance(frame, Frame):
            continue
        start = frame.time if start is None else start
        if frame.time - start >= seconds:
            break
        found = pipeline.process(frame).faces
        if found and found[0].age == 0:
            faces.append(found[0])
    return faces


def samples_of_take(
    faces: list[Face], metadata: Metadata, seconds: float
) -> list[npt.NDArray[np.float64]]:
    """Return the mean logits, float64 [K], of the parts of a take, each about SAMPLE_S long."""
    return average_parts([logits_of(face, metadata) for face in faces], seconds)


def average_parts(
    rows: list[npt.NDArray[np.float64]], seconds: float
) -> list[npt.NDArray[np.float64]]:
    """Return the means of the parts of a take's logits, each about SAMPLE_S long."""
    parts = max(1, min(len(rows), round(seconds / SAMPLE_S)))
    return [np.mean(part, axis=0) for part in np.array_split(np.array(rows), parts)] if rows else []
