"""Temporal smoothing of predictions: averaged logits, and labels with hysteresis."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from mien.classification.prediction import UNCERTAIN, Prediction, decode_prediction, softmax
from mien.tflite.metadata import Metadata

TIME_CONSTANT_S = 0.4  # s, after which a new expression counts for 63 %
LABEL_HYSTERESIS = 0.08  # probability by which another label must lead to be shown
THRESHOLD_HYSTERESIS = 0.04  # probability on both sides of the model's threshold


class PredictionSmoother:
    """Smoothed prediction of one face over time.

    An exponential moving average of logits. Its weight follows from the time between two
    predictions, so that it does not depend on the frame rate. `constant` is in s; 0 turns smoothing
    off. The shown label changes only when another leads by LABEL_HYSTERESIS, and to or from
    "uncertain" only THRESHOLD_HYSTERESIS beyond the threshold: a Schmitt trigger on both.
    """

    def __init__(self, metadata: Metadata, constant: float = TIME_CONSTANT_S) -> None:
        self.metadata = metadata
        self.constant = constant
        self.prediction: Prediction | None = None
        self.time = -math.inf  # s, of the last logits
        self._mean: npt.NDArray[np.float64] | None = None
        self._label = -1  # the one that is shown or, while uncertain, was
        self._certain = False

    def add(self, logits: npt.NDArray[np.floating], time: float) -> Prediction:
        """Add the logits [K] at a time (s, increasing); return the smoothed prediction."""
        if self.constant <= 0:
            self.prediction = decode_prediction(logits, self.metadata)
        else:
            self._average(logits, time)
            self.prediction = self._show()
        self.time = time
        return self.prediction

    def _average(self, logits: npt.NDArray[np.floating], time: float) -> None:
        fresh = np.asarray(logits, np.float64)
        if self._mean is None:
            self._mean = fresh
        else:
            weight = 1.0 - math.exp(-max(0.0, time - self.time) / self.constant)
            self._mean = self._mean + weight * (fresh - self._mean)

    def _show(self) -> Prediction:
        assert self._mean is not None
        probabilities = softmax(self._mean, self.metadata.temperature)
        best = int(probabilities.argmax())
        first = self._label < 0
        if first or probabilities[best] > probabilities[self._label] + LABEL_HYSTERESIS:
            self._label = best
        confidence = float(probabilities[self._label])
        doubt = 0.0 if first else -THRESHOLD_HYSTERESIS if self._certain else THRESHOLD_HYSTERESIS
        self._certain = confidence >= self.metadata.threshold + doubt
        labels = self.metadata.labels
        if not self._certain:
            confidence = float(probabilities[best])
        return Prediction(
            labels[self._label] if self._certain else UNCERTAIN,
            confidence,
            {label: float(p) for label, p in zip(labels, probabilities, strict=True)},
        )
