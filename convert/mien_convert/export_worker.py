"""Conversion in a process of its own, because TFLiteConverter leaks memory.

`mien_convert.export` starts it with the arguments MODEL FOLDER. They exchange lines of JSON: the
worker writes {"size": S}, waits for a line, reads calibration.npy and faces.npy (uint8
[n, S, S]) from FOLDER, writes {"done": step} after each step and at last
{"versions": ..., ...}. A user's error is {"error": sentence}. TensorFlow's output goes to stderr.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TextIO

import numpy as np
import numpy.typing as npt
from mien.errors import UserError

from mien_convert.quantize import to_int8

STEPS = ("export", "float", "int8")  # what is announced as done, in this order


def main(convert: Callable[[Path, Path, TextIO], None]) -> int:
    """Run `convert(MODEL, FOLDER, answers)` of the command line; return the exit status."""
    # TensorFlow writes to file descriptor 1 from C++ too; the answers keep a descriptor of their
    # own.
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    os.environ["KERAS_BACKEND"] = "tensorflow"  # the only backend that converts
    os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
    try:
        convert(Path(sys.argv[1]), Path(sys.argv[2]), answers)
    except UserError as error:
        say(answers, error=str(error))
        return 2
    return 0


def say_done(answers: TextIO, network: Any) -> None:
    """Send the last answer: facts of the network, and the versions that converted it."""
    import keras
    import tensorflow as tf

    say(
        answers,
        versions={"tensorflow": tf.__version__, "keras": keras.__version__},
        parameters=int(network.count_params()),
        architecture=str(network.name),
    )


def say(answers: TextIO, **message: Any) -> None:
    """Send one line to the process that started this one."""
    answers.write(json.dumps(message) + "\n")


def _convert(path: Path, folder: Path, answers: TextIO) -> None:
    from mien_train.classifier import predict  # after the environment is set: it imports Keras

    model = predict.load_model(path)
    size = int(model.input_shape[1])
    say(answers, size=size)
    if not sys.stdin.readline():  # the other side has gone
        return
    calibration = np.load(folder / "calibration.npy")
    faces = np.load(folder / "faces.npy")

    float32 = export(model, size, size, folder)
    say(answers, done="export")
    logits = predict.logits(model, faces)
    refuse_probabilities(logits, path)
    np.save(folder / "logits.npy", logits)
    say(answers, done="float")
    (folder / "int8.tflite").write_bytes(to_int8(float32, calibration))
    say(answers, done="int8")
    say_done(answers, model)


def refuse_probabilities(logits: npt.NDArray[np.float32], path: Path) -> None:
    """Raise UserError for a network that ends in a softmax: the device has its own."""
    if not np.isfinite(logits).all():
        raise UserError(f"{path} gives numbers that are not finite; train it again.")
    if (logits >= 0).all() and np.allclose(logits.sum(axis=1), 1, atol=1e-3):
        raise UserError(
            f"{path} gives probabilities where logits are needed; leave its softmax away."
        )


def export(model: Any, height: int, width: int, folder: Path) -> bytes:
    """Return the float TFLite network for one gray picture at a time, which is in `folder` too.

    The converter folds BatchNorm into the convolutions.
    """
    import keras
    import tensorflow as tf

    saved = folder / "saved_model"
    picture = keras.layers.InputSpec(shape=(1, height, width, 1), dtype="float32", name="gray")
    model.export(saved, format="tf_saved_model", verbose=False, input_signature=[picture])
    float32 = bytes(tf.lite.TFLiteConverter.from_saved_model(str(saved)).convert())
    (folder / "float32.tflite").write_bytes(float32)
    return float32


if __name__ == "__main__":
    sys.exit(main(_convert))
