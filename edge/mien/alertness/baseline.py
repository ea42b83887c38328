"""Personal baseline: how open a person's eyes usually are, and how the head is usually held."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mien.alertness.config import AlertnessConfig
from mien.alertness.signals import Observation

OPEN_PERCENTILE = 75  # of the readings: above blinks, under single high ones
MIN_OPEN = 0.5  # of the probability; who sleeps from the start sets no lower baseline
MAX_STEP_S = 0.25  # s that one reading stands for at most
INTERVAL_S = 1.0  # s between two estimates


@dataclass(frozen=True)
class Baseline:
    """What is usual of a person in front of a camera."""

    left_open: float = 1.0  # probability of the eye network for the eye as open as is usual
    right_open: float = 1.0
    yaw: float = 0.0  # degrees
    pitch: float = 0.0  # degrees


class BaselineEstimator:
    """Baseline of the first seconds of a track.

    A provisional baseline is there as soon as there are enough readings; at the end of
    `AlertnessConfig.baseline_s` it stays as it is.
    """

    def __init__(self, config: AlertnessConfig) -> None:
        self.baseline = Baseline()
        self.done = False
        self._config = config
        self._rows: list[tuple[float, float, float, float]] = []
        self._first: float | None = None
        self._last = 0.0
        self._observed = 0.0  # s
        self._estimated = float("-inf")

    @property
    def ready(self) -> bool:
        """Whether there have been enough readings."""
        return self._observed >= self._config.baseline_least_s

    def add(self, reading: Observation) -> None:
        """Take in a reading whose eyes can be told."""
        if self.done or reading.eyes is None or reading.pose is None:
            return
        now = reading.time
        if self._first is None:
            self._first = self._last = now
        self._observed += min(now - self._last, MAX_STEP_S)
        self._last = now
        left, right = reading.eyes
        self._rows.append((left.open, right.open, reading.pose.yaw, reading.pose.pitch))
        self.done = now - self._first >= self._config.baseline_s
        if not self.ready:
            self.done = False
        elif self.done or now - self._estimated >= INTERVAL_S:
            self._estimated = now
            self.baseline = self._estimate()
            if self.done:
                self._rows = []

    def _estimate(self) -> Baseline:
        rows = np.array(self._rows)
        opened = np.maximum(MIN_OPEN, np.percentile(rows[:, :2], OPEN_PERCENTILE, axis=0))
        yaw, pitch = np.median(rows[:, 2:], axis=0)
        return Baseline(float(opened[0]), float(opened[1]), float(yaw), float(pitch))
