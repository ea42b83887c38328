"""Decoding: from logits to an emotion, its confidence and all probabilities."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mien.tflite.metadata import Metadata

UNCERTAIN = "uncertain"


@dataclass(frozen=True)
class Prediction:
    """Expression of one face, as the network predicts it."""

    emotion: str  # the likeliest label, or "uncertain" under the model's threshold
    confidence: float  # 0 to 1, the largest probability, also where the emotion is "uncertain"
    probabilities: dict[str, float]  # of every label, in the model's order; their sum is 1


def softmax(logits: npt.NDArray[np.floating], temperature: float = 1.0) -> npt.NDArray[np.float64]:
    """Return probabilities, float64 [..., K], of logits [..., K] divided by the temperature.

    Temperature scaling after Guo et al., "On Calibration of Modern Neural Networks", ICML 2017.
    """
    scaled = np.asarray(logits, np.float64) / temperature
    powers = np.exp(scaled - scaled.max(axis=-1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=-1, keepdims=True), np.float64)


def decode_prediction(logits: npt.NDArray[np.floating], metadata: Metadata) -> Prediction:
    """Return the prediction for one face from its logits [K]."""
    probabilities = softmax(logits, metadata.temperature)
    best = int(probabilities.argmax())
    confidence = float(probabilities[best])
    emotion = metadata.labels[best] if confidence >= metadata.threshold else UNCERTAIN
    return Prediction(
        emotion,
        confidence,
        {label: float(p) for label, p in zip(metadata.labels, probabilities, strict=True)},
    )
