"""Makes the small TFLite models of the tests; needs TensorFlow: `python tests/data/make_models.py`.

The network is no face reader but a known function: it averages each of the first seven bands of
six rows and calls the brightest band the class. So a test can draw a "face" of any class
(`band_face` in tests/edge/made.py) and know what must be read, and a wrong crop reads wrong.

    bands.tflite        uint8 [1, 48, 48, 1] in, int8 [1, 7] out; the only one that fits
    bands_float.tflite  the same network with float32 in and out
    bands_eight.tflite  as the first, with eight classes
    bands_24.tflite     as the first, with an input of 24 px
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

HERE = Path(__file__).parent
GAIN = 6.0  # logits of a band that is white on black: 6 and -6


def network(size: int, classes: int) -> keras.Model:
    """Return the network: float32 [n, size, size, 1] in [-1, 1] to logits [n, classes]."""
    pixels = keras.Input((size, size, 1), batch_size=1)
    bands = keras.layers.AveragePooling2D((size // 8, size))(pixels)
    dense = keras.layers.Dense(classes)
    logits = dense(keras.layers.Flatten()(bands))
    dense.set_weights([GAIN * np.eye(8, classes, dtype=np.float32), np.zeros(classes, np.float32)])
    return keras.Model(pixels, logits)


def convert(size: int, classes: int, quantise: bool) -> bytes:
    """Return a flatbuffer, full int8 or float."""

    def calibration() -> Iterator[list[np.ndarray]]:
        for value in (-1.0, 1.0):  # exactly [-1, 1]: the pixel byte is the quantised value
            yield [np.full((1, size, size, 1), value, np.float32)]

    converter = tf.lite.TFLiteConverter.from_keras_model(network(size, classes))
    if quantise:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = calibration
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = tf.uint8
        converter.inference_output_type = tf.int8
    return bytes(converter.convert())


if __name__ == "__main__":
    for name, size, classes, quantise in (
        ("bands", 48, 7, True),
        ("bands_float", 48, 7, False),
        ("bands_eight", 48, 8, True),
        ("bands_24", 24, 7, True),
    ):
        (HERE / f"{name}.tflite").write_bytes(convert(size, classes, quantise))
