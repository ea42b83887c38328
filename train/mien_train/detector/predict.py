"""Detections of a Keras network."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from mien_train.detector.evaluate import Detect
from mien_train.detector.model import build_detector
from mien_train.detector.postprocess import detector_of


def detector(network: keras.Model, height: int, width: int) -> Detect:
    """A function from a gray picture to boxes and scores, at one input size.

    ``network`` may have been built for another size: its weights are taken.
    """
    sized = build_detector(height, width)
    sized.set_weights(network.get_weights())
    run = _compiled(sized)

    def forward(canvas: np.ndarray) -> dict[str, np.ndarray]:
        output = run(canvas[None, :, :, None].astype("float32") / 127.5 - 1.0)
        return {name: np.asarray(values)[0] for name, values in output.items()}

    return detector_of(forward, height, width)


def _compiled(network: keras.Model) -> Any:
    """``network`` as one compiled function: layer by layer it takes five times as long."""
    if keras.backend.backend() != "tensorflow":
        return network
    import tensorflow as tf

    return tf.function(
        lambda x: network(x, training=False),
        input_signature=[tf.TensorSpec((1, *network.input.shape[1:]), "float32")],
    )
