"""Distillation: earlier networks as teachers of a new one.

Source: Hinton, Vinyals & Dean, "Distilling the Knowledge in a Neural Network" (2015), with the
teachers seeing the same augmented faces as the student (Beyer et al., "Knowledge distillation: A
good teacher is patient and consistent", 2022), or, at a fraction of the cost, each face once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import ops
from mien.classification.prediction import softmax
from mien.errors import UserError

from mien_train.classifier.predict import load_model, logits
from mien_train.data.labels import LABELS

# Faces float32 [n, size, size, 1] in [-1, 1] to probabilities float32 [n, classes].
Teacher = Callable[[Any], Any]


def load_teachers(
    paths: Sequence[Path], size: int, weights: Sequence[float] = ()
) -> Teacher | None:
    """Return the ensemble of the networks in ``paths`` (mean probabilities), None for no paths.

    ``weights`` are those of the mean, equal by default.
    Raises UserError where a network cannot be read or takes faces of another size than ``size``.
    """
    if not paths:
        return None
    shares = _shares(paths, weights)
    networks: list[keras.Model] = []
    for path in paths:
        network = load_model(path)
        if network.input_shape[1] != size:
            raise UserError(
                f"{path} takes faces of {network.input_shape[1]} px and not of {size}: "
                "give a teacher of the same --size."
            )
        network.trainable = False
        networks.append(network)

    def ensemble(x: Any) -> Any:
        probabilities = [
            share * ops.softmax(network(x, training=False))
            for share, network in zip(shares, networks, strict=True)
        ]
        return sum(probabilities[1:], probabilities[0])

    return ensemble


def opinions(
    paths: Sequence[Path], images: np.ndarray, weights: Sequence[float] = ()
) -> np.ndarray:
    """Mean probabilities float32 [n, classes] of the networks in ``paths`` on uint8 [n, h, w].

    ``weights`` are those of the mean, equal by default.
    """
    mean = np.zeros((len(images), len(LABELS)), "float32")
    for path, share in zip(paths, _shares(paths, weights), strict=True):
        mean += share * softmax(logits(load_model(path), images))
    return mean


def _shares(paths: Sequence[Path], weights: Sequence[float]) -> list[float]:
    """Weights of the mean, which sum to 1; raises UserError where they do not fit ``paths``."""
    weights = weights or [1.0] * len(paths)
    if len(weights) != len(paths) or min(weights) < 0 or sum(weights) <= 0:
        raise UserError(
            f"{len(paths)} teachers want {len(paths)} weights, none under 0 and not all 0."
        )
    return [weight / sum(weights) for weight in weights]
