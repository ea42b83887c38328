"""Distillation: earlier networks as teachers of a new one.

Source: Hinton, Vinyals & Dean, "Distilling the Knowledge in a Neural Network" (2015), with the
teachers seeing the same augmented faces as the student (Beyer et al., "Knowledge distillation: A
good teacher is patient and consistent", 2022).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import keras
from keras import ops
from mien.errors import UserError

from mien_train.classifier.predict import load_model

# Faces float32 [n, size, size, 1] in [-1, 1] to probabilities float32 [n, classes].
Teacher = Callable[[Any], Any]


def load_teachers(paths: Sequence[Path], size: int) -> Teacher | None:
    """Return the ensemble of the networks in ``paths`` (mean probabilities), None for no paths.

    Raises UserError where one cannot be read or takes faces of another size than ``size``.
    """
    if not paths:
        return None
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
        probabilities = [ops.softmax(network(x, training=False)) for network in networks]
        return sum(probabilities[1:], probabilities[0]) / len(probabilities)

    return ensemble
