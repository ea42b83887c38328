"""History of the page: mean probabilities over time, in three resolutions up to a day."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from mien.pipeline.results import Face

# Minutes that can be shown, each with the width of its bins, s: 300 to 1,440 bins.
SPANS = {5: 1, 60: 10, 1440: 60}


@dataclass
class Bin:
    """Sums of one stretch of time."""

    at: int  # s since the page's start
    frames: int = 0
    readings: int = 0
    sums: dict[str, float] = field(default_factory=dict)  # of the probabilities, by label


class History:
    """The last `minutes` in bins of `step` seconds; times are seconds since the page's start."""

    def __init__(self, minutes: int, step: int) -> None:
        self.minutes = minutes
        self.step = step
        self._bins: deque[Bin] = deque(maxlen=60 * minutes // step)

    def add(self, faces: Sequence[Face], now: float) -> None:
        """Count a frame's predictions."""
        at = int(now) // self.step * self.step
        if not self._bins or self._bins[-1].at != at:
            self._bins.append(Bin(at))
        current = self._bins[-1]
        current.frames += 1
        current.readings += len(faces)
        for face in faces:
            for label, p in face.probabilities.items():
                current.sums[label] = current.sums.get(label, 0.0) + float(p)

    def to_json(self, labels: Sequence[str], now: float) -> list[dict[str, Any]]:
        """Return the bins: start, mean number of faces, mean probabilities (None without faces)."""
        return [
            {
                "at": one.at,
                "faces": round(one.readings / one.frames, 2),
                "mean": [round(one.sums.get(label, 0.0) / one.readings, 3) for label in labels]
                if one.readings
                else None,
            }
            for one in self._bins
            if one.at > now - 60 * self.minutes - self.step
        ]
