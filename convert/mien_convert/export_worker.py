"""The converter's own process: TFLiteConverter leaks memory, so it lives and dies in here.

Started by convert/mien_convert/export.py as `python -m mien_convert.export_worker MODEL FOLDER`;
talks in lines of JSON:
it writes {"size": S}, waits for {"explain": bool}, reads FOLDER/calibration.npy and
FOLDER/faces.npy (uint8 [n, S, S]), writes {"done": step} after every step and at last
{"versions": ..., ...}. What a user can put right is {"error": sentence}.
Everything that TensorFlow prints goes to stderr.
"""

from __future__ import annotations

import json
import os
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any, TextIO

import numpy as np
import numpy.typing as npt
from mien.errors import UserError

from mien_convert.layer_errors import FACES, layer_errors
from mien_convert.quantize import to_int8

VARIANTS = ("float32", "float16", "dynamic", "int8")
STEPS = ("export", "float", *VARIANTS)  # what is announced as done, in this order
CLASSES = 7

Faces = npt.NDArray[np.uint8]  # [n, S, S]


def main() -> int:
    """Convert the model of the command line; return the exit status."""
    # TensorFlow writes to file descriptor 1 from C++ too; the answers keep a descriptor of their
    # own.
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    os.environ["KERAS_BACKEND"] = "tensorflow"  # the only backend that converts
    os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
    try:
        _convert(Path(sys.argv[1]), Path(sys.argv[2]), answers)
    except UserError as error:
        _say(answers, error=str(error))
        return 2
    return 0


def _say(answers: TextIO, **message: Any) -> None:
    answers.write(json.dumps(message) + "\n")


def _convert(path: Path, folder: Path, answers: TextIO) -> None:
    model = load(path)
    size = input_size(model, path)
    _say(answers, size=size)
    order = sys.stdin.readline()
    if not order:  # the other side has gone
        return
    calibration = np.load(folder / "calibration.npy")
    faces = np.load(folder / "faces.npy")

    saved = folder / "saved_model"
    export(model, size, saved)
    _say(answers, done="export")
    logits = float_logits(model, faces)
    refuse_probabilities(logits, path)
    np.save(folder / "logits.npy", logits)
    _say(answers, done="float")
    for kind in VARIANTS:
        if kind == "int8":
            flatbuffer = to_int8((folder / "float32.tflite").read_bytes(), calibration)
        else:
            flatbuffer = to_tflite(saved, kind)
        (folder / f"{kind}.tflite").write_bytes(flatbuffer)
        _say(answers, done=kind)

    found = {}
    if json.loads(order)["explain"]:
        found["layers"] = explain(folder, calibration, faces, answers)

    import keras
    import tensorflow as tf

    _say(
        answers,
        **found,
        versions={"tensorflow": tf.__version__, "keras": keras.__version__},
        parameters=int(model.count_params()),
        architecture=str(model.name),
    )


def explain(
    folder: Path, calibration: Faces, faces: Faces, answers: TextIO
) -> list[dict[str, Any]]:
    """Return convert.explain.layer_errors as dicts, measured on some of the faces."""
    some = faces[:: -(-len(faces) // FACES)]
    float32, int8 = ((folder / f"{kind}.tflite").read_bytes() for kind in ("float32", "int8"))
    errors = layer_errors(
        float32, int8, calibration, some, lambda name, count: _say(answers, done=name, of=count)
    )
    return [asdict(error) for error in errors]


def load(path: Path) -> Any:
    """Read a .keras file; raises UserError where it is none."""
    import keras

    try:
        return keras.saving.load_model(path, compile=False)
    except Exception as error:  # Keras raises nearly every type for a damaged file
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise UserError(
            f"{path} cannot be read as a Keras model ({reason}); "
            "give the model.keras that mien-train fit wrote."
        ) from error


def input_size(model: Any, path: Path) -> int:
    """Return S, px, of a model [n, S, S, 1] to [n, 7]; raises UserError for another one."""
    inputs, outputs = model.inputs, model.outputs
    if len(inputs) != 1 or len(outputs) != 1:
        raise UserError(
            f"{path} has {len(inputs)} inputs and {len(outputs)} outputs where one of each is "
            "needed; train it with mien-train fit."
        )
    given, made = tuple(inputs[0].shape), tuple(outputs[0].shape)
    if len(given) != 4 or given[1] is None or given[1] != given[2] or given[3] != 1:
        raise UserError(
            f"{path} takes {_shape(given)} where gray square faces [n, S, S, 1] are needed; "
            "train it with mien-train fit."
        )
    if made[1:] != (CLASSES,):
        raise UserError(
            f"{path} gives {_shape(made)} where the logits of {CLASSES} expressions, "
            f"[n, {CLASSES}], are needed; train it with mien-train fit."
        )
    return int(given[1])


def _shape(shape: tuple[int | None, ...]) -> str:
    return "[" + ", ".join("n" if side is None else str(side) for side in shape) + "]"


def refuse_probabilities(logits: npt.NDArray[np.float32], path: Path) -> None:
    """Raise UserError for a network that ends in a softmax: the device has its own."""
    if not np.isfinite(logits).all():
        raise UserError(f"{path} gives numbers that are not finite; train it again.")
    if (logits >= 0).all() and np.allclose(logits.sum(axis=1), 1, atol=1e-3):
        raise UserError(
            f"{path} gives probabilities where logits are needed; leave its softmax away."
        )


def to_input(faces: Faces) -> npt.NDArray[np.float32]:
    """Scale bytes [n, S, S] to the network's float32 [n, S, S, 1] in [-1, 1]."""
    from mien_train.classifier.model import to_input as scaled

    return np.asarray(scaled(faces), np.float32)


def float_logits(model: Any, faces: Faces) -> npt.NDArray[np.float32]:
    """Return the Keras model's logits, float32 [n, 7], of faces uint8 [n, S, S]."""
    parts = [
        np.asarray(model.predict_on_batch(to_input(faces[start : start + 64])))
        for start in range(0, len(faces), 64)
    ]
    return np.concatenate(parts).astype(np.float32)


def export(model: Any, size: int, saved: Path) -> None:
    """Write the SavedModel for one face at a time that all variants are converted from."""
    import keras

    one_face = keras.layers.InputSpec(shape=(1, size, size, 1), dtype="float32", name="gray")
    model.export(saved, format="tf_saved_model", verbose=False, input_signature=[one_face])


def to_tflite(saved: Path, kind: str) -> bytes:
    """Convert a SavedModel to float32, float16 (weights) or dynamic (int8 weights, float sums).

    The converter folds BatchNorm into the convolutions.
    """
    import tensorflow as tf

    converter = tf.lite.TFLiteConverter.from_saved_model(str(saved))
    if kind != "float32":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if kind == "float16":
        converter.target_spec.supported_types = [tf.float16]
    return bytes(converter.convert())


if __name__ == "__main__":
    sys.exit(main())
