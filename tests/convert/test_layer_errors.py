"""`mien-convert --explain`: the layer that int8 hurts most comes first."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from mien_convert.layer_errors import short

keras = pytest.importorskip("keras")
Run = Callable[..., tuple[int, str, str]]


def write_spoilt(path: Path) -> None:
    """Save a network of which one layer has weights that 256 steps cannot follow."""
    keras.utils.set_random_seed(3)
    x = inputs = keras.Input((48, 48, 1), name="gray")
    x = keras.layers.Conv2D(6, 3, 2, use_bias=False, name="wide")(x)
    x = keras.layers.ReLU(name="second")(keras.layers.Conv2D(8, 3, 2, name="after")(x))
    x = keras.layers.ReLU(name="third")(keras.layers.Conv2D(8, 3, 2, name="last")(x))
    x = keras.layers.GlobalAveragePooling2D(name="pool")(x)
    model = keras.Model(inputs, keras.layers.Dense(7, name="logits")(x), name="spoilt")
    head, bias = model.get_layer("logits").get_weights()
    model.get_layer("logits").set_weights([head * 20, bias])
    (kernel,) = model.get_layer("wide").get_weights()
    kernel[..., 0] = 0  # a channel that is always nought
    model.get_layer("wide").set_weights([kernel])
    following, bias = model.get_layer("after").get_weights()
    following[:, :, 0, :] = 40  # so that this does nothing in floats
    model.get_layer("after").set_weights([following, bias])
    model.save(path)


def test_layer_errors_rank_a_spoilt_layer_first(
    small_data: Path, tmp_path: Path, mien_convert: Run
) -> None:
    model, out = tmp_path / "model.keras", tmp_path / "spoilt.tflite"
    write_spoilt(model)
    allowed = ("--max-drop", 100, "--max-recall-drop", 100, "--limit", 35)
    code, text, err = mien_convert(model, small_data, "--out", out, "--explain", *allowed)
    assert code == 0, err
    lines = text.splitlines()
    (head,) = [i for i, line in enumerate(lines) if line.startswith("costliest layers in int8")]
    rows = [line.split() for line in lines[head + 1 : head + 5]]
    assert {row[0] for row in rows} == {"wide", "second", "third", "output"}
    gains = [float(row[1]) for row in rows]
    assert gains == sorted(gains, reverse=True)
    assert rows[0][0] == "second"
    assert gains[0] > 3 * max(gains[1:])


def test_short_gives_the_keras_name() -> None:
    fused = "mobilenetv2_1_48_1/block_1_project_BN_1/batchnorm/mul_1;StatefulPartitionedCall"
    assert short(fused) == "block_1_project_BN"
    assert short("tiny_1/conv2d_1_1/Relu6") == "conv2d_1"
