"""Detection: a face in a gray picture, and the protocol of everything that detects faces."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from mien.boxes import FloatBox, Landmarks

Gray = npt.NDArray[np.uint8]  # [H, W]


@dataclass(frozen=True)
class Detection:
    """One detected face."""

    box: FloatBox  # px of the picture: upright, forehead to chin; may reach beyond the picture
    score: float  # 0 to 1
    landmarks: Landmarks | None = None  # px: see mien.head_pose


class Detector(Protocol):
    """Anything that detects faces. Not for use from several threads at once."""

    # From which a face of a still counts: 0.03 false boxes a picture (docs/detection.md). In a
    # video detections confirm each other, and the tracker has thresholds of its own.
    still_score: float

    def detect(self, gray: Gray) -> list[Detection]:
        """Return the faces of a gray picture, uint8 [H, W], the best score first."""
        ...
