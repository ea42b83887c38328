"""face-api's weights, dequantized and put into Keras' layers, compute what the package computes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from mien.errors import UserError
from mien_train.classifier.face_api import (
    MANIFEST,
    MEAN_RGB,
    OUTPUTS,
    TEMPERATURE,
    WEIGHTS,
    build,
    read_weights,
)
from mien_train.classifier.predict import load_model, logits
from mien_train.data.labels import LABELS


def package_output(weights: dict[str, np.ndarray], faces: np.ndarray) -> np.ndarray:
    """The package's own arithmetic, operation by operation, on float32 [n, 112, 112, 3] bytes."""

    def convolve(x: tf.Tensor, name: str, stride: int) -> tf.Tensor:
        if f"{name}/filters" in weights:
            x = tf.nn.conv2d(x, weights[f"{name}/filters"], stride, "SAME")
        else:
            depth, point = (weights[f"{name}/{part}_filter"] for part in ("depthwise", "pointwise"))
            x = tf.nn.separable_conv2d(x, depth, point, [1, stride, stride, 1], "SAME")
        return x + weights[f"{name}/bias"]

    x = (faces - np.array(MEAN_RGB, "float32")) / 255.0
    for block in range(4):
        one = tf.nn.relu(convolve(x, f"dense{block}/conv0", 2))
        two = convolve(one, f"dense{block}/conv1", 1)
        three = convolve(tf.nn.relu(one + two), f"dense{block}/conv2", 1)
        four = convolve(tf.nn.relu(one + two + three), f"dense{block}/conv3", 1)
        x = tf.nn.relu(one + two + three + four)
    pooled = tf.reshape(tf.nn.avg_pool2d(x, 7, 2, "VALID"), (len(faces), -1))
    return (pooled @ weights["fc/weights"] + weights["fc/bias"]).numpy()


def test_build_computes_what_the_package_does(face_api_folder: Path) -> None:
    faces = np.random.default_rng(1).integers(0, 256, (3, 112, 112), np.uint8)
    found = logits(build(face_api_folder, size=112), faces)
    theirs = package_output(
        read_weights(face_api_folder), np.repeat(faces[..., None], 3, -1).astype("f4")
    )
    ours = theirs[:, [OUTPUTS.index(label) for label in LABELS]] / TEMPERATURE
    np.testing.assert_allclose(found, ours, rtol=1e-3, atol=1e-3 * np.abs(ours).max())


def test_face_api_command_writes_a_teacher_of_48_px(
    face_api_folder: Path, tmp_path: Path, mien_train: Callable[..., tuple[int, str, str]]
) -> None:
    code, _, err = mien_train("face-api", str(face_api_folder), "--run", str(tmp_path / "run"))
    assert code == 0, err
    assert load_model(tmp_path / "run" / "model.keras").input_shape == (None, 48, 48, 1)


def test_build_of_damaged_weights_raises(face_api_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="@vladmandic/face-api"):
        build(tmp_path)
    (tmp_path / MANIFEST).write_bytes((face_api_folder / MANIFEST).read_bytes())
    (tmp_path / WEIGHTS).write_bytes((face_api_folder / WEIGHTS).read_bytes()[:-5])
    with pytest.raises(UserError, match="@vladmandic/face-api"):
        build(tmp_path)
