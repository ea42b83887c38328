"""Readings that hold still: logits averaged over time, and labels that do not flicker."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from mien.classification.prediction import UNCERTAIN, Reading, read, softmax
from mien.tflite.model_file import Metadata

SMOOTH_S = 0.4  # s, time constant: after it a new expression counts for 63 %
LEAD = 0.08  # probability by which another label must be ahead before it takes over
DOUBT = 0.04  # probability around the model's threshold in which certainty does not change


class Smoother:
    """One face's reading over time.

    An exponential average of logits whose weight follows from the time between two readings, so
    that it does not depend on the frame rate (`constant` in s; 0 gives every reading as it is).
    The shown label changes only when another leads by LEAD, and to or from "uncertain" only DOUBT
    beyond the threshold: a Schmitt trigger on both.
    """

    def __init__(self, metadata: Metadata, constant: float = SMOOTH_S) -> None:
        self.metadata = metadata
        self.constant = constant
        self.reading: Reading | None = None
        self.time = -math.inf  # s, of the last logits
        self._mean: npt.NDArray[np.float64] | None = None
        self._label = -1  # the one that is shown or, while uncertain, was
        self._certain = False

    def add(self, logits: npt.NDArray[np.floating], time: float) -> Reading:
        """Take in logits [K] of a time (s, going up); return what is shown from now on."""
        if self.constant <= 0:
            self.reading = read(logits, self.metadata)
        else:
            self._average(logits, time)
            self.reading = self._show()
        self.time = time
        return self.reading

    def _average(self, logits: npt.NDArray[np.floating], time: float) -> None:
        fresh = np.asarray(logits, np.float64)
        if self._mean is None:
            self._mean = fresh
        else:
            weight = 1.0 - math.exp(-max(0.0, time - self.time) / self.constant)
            self._mean = self._mean + weight * (fresh - self._mean)

    def _show(self) -> Reading:
        assert self._mean is not None
        probabilities = softmax(self._mean, self.metadata.temperature)
        best = int(probabilities.argmax())
        first = self._label < 0
        if first or probabilities[best] > probabilities[self._label] + LEAD:
            self._label = best
        confidence = float(probabilities[self._label])
        doubt = 0.0 if first else -DOUBT if self._certain else DOUBT
        self._certain = confidence >= self.metadata.threshold + doubt
        labels = self.metadata.labels
        if not self._certain:
            confidence = float(probabilities[best])
        return Reading(
            labels[self._label] if self._certain else UNCERTAIN,
            confidence,
            {label: float(p) for label, p in zip(labels, probabilities, strict=True)},
        )
