"""Ranges, corrected biases and the scaling, on real small networks in this process."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import stripes
from mien.errors import UserError
from mien_convert.evaluate import check_input_range
from mien_convert.export_worker import export
from mien_convert.quantize import correct_bias, mean_input, measure, quantize, rounded, to_int8
from mien_convert.tflite_graph import CONV, DEPTHWISE, Layer, Network
from mien_convert.tflite_runner import interpreter, logits

keras = pytest.importorskip("keras")


@pytest.fixture(scope="module")
def float32(small_model: Path, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The tiny network as a float flatbuffer."""
    network = keras.saving.load_model(small_model, compile=False)
    return export(network, 48, 48, tmp_path_factory.mktemp("export"))


@pytest.mark.parametrize("kind", [CONV, DEPTHWISE])
@pytest.mark.parametrize("same", [True, False])
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("side", [9, 10])
def test_mean_input_gives_the_mean_output(kind: int, same: bool, stride: int, side: int) -> None:
    generator = np.random.default_rng(1)
    picture = generator.normal(size=(1, side, side, 3)).astype(np.float32)
    outputs = 4 if kind == CONV else 1
    kernel = generator.normal(size=(3, 3, 3, outputs)).astype(np.float32)  # Keras: h, w, i, o
    operation = keras.ops.conv if kind == CONV else keras.ops.depthwise_conv
    output = operation(picture, kernel, stride, "same" if same else "valid")
    layer = Layer(kind, 0, 1, 2, 3, (stride, stride), same)
    mean = mean_input(picture, layer, (outputs, 3, 3, 3))
    found = np.einsum("hwi,hwio->o" if kind == CONV else "hwi,hwio->i", mean, kernel)
    assert found == pytest.approx(np.asarray(output)[0].mean(axis=(0, 1)), abs=1e-5)


def test_to_int8_converts_all_layers_and_keeps_predictions(float32: bytes) -> None:
    faces, _ = stripes.faces(20, seed=9)
    int8 = to_int8(float32, faces)
    check_input_range(int8)
    kinds = {detail["dtype"] for detail in interpreter(int8).get_tensor_details()}
    assert kinds <= {np.uint8, np.int8, np.int32}
    exact, coarse = logits(float32, faces), logits(int8, faces)
    assert np.abs(exact - coarse).mean() < 0.05 * np.abs(exact).mean()


def test_to_int8_input_range_ignores_the_calibration_faces(float32: bytes) -> None:
    gray = np.full((3, 48, 48), 100, np.uint8)
    check_input_range(to_int8(float32, gray))


def test_check_input_range_of_another_range_raises(float32: bytes) -> None:
    statistics = measure(float32, np.full((1, 48, 48), 100, np.uint8))
    int8 = quantize(float32, statistics)
    check_input_range(int8)
    scale = np.float32(2 / 255).tobytes()
    assert scale in int8
    wrong = int8.replace(scale, np.float32(2.2 / 255).tobytes())
    with pytest.raises(UserError, match=r"1/127\.5"):
        check_input_range(wrong)


def test_correct_bias_removes_the_shift_of_rounding(float32: bytes) -> None:
    network = Network(float32)
    layer = network.layers()[1]
    generator = np.random.default_rng(2)
    # Weights that nearly cancel, over inputs of nearly one value.
    weights = generator.normal(size=network.values(layer.weights).shape).astype(np.float32)
    weights -= weights.mean(axis=(1, 2, 3), keepdims=True)
    network.set_values(layer.weights, weights)
    bias = network.values(layer.bias)
    mean = 3 + 0.01 * generator.normal(size=weights.shape[1:])
    exact = np.einsum("ohwi,hwi->o", weights, mean) + bias
    shifted = np.einsum("ohwi,hwi->o", rounded(weights, layer), mean) + bias
    correct_bias(network, layer, mean)
    corrected = np.einsum("ohwi,hwi->o", rounded(weights, layer), mean)
    corrected += network.values(layer.bias)
    assert np.abs(corrected - exact).max() < 1e-4 < 1e-2 < np.abs(shifted - exact).max()


def test_rounded_weights_equal_the_int8_files(float32: bytes) -> None:
    network = Network(float32)
    layer = network.layers()[0]
    int8 = to_int8(float32, np.full((2, 48, 48), 100, np.uint8))
    runner = interpreter(int8)
    shape = network.values(layer.weights).shape
    (found,) = (
        detail
        for detail in runner.get_tensor_details()
        if tuple(detail["shape"]) == shape and detail["dtype"] == np.int8
    )
    scales = found["quantization_parameters"]["scales"].reshape(-1, 1, 1, 1)
    stored = runner.get_tensor(found["index"]) * scales
    assert stored == pytest.approx(rounded(network.values(layer.weights), layer), abs=1e-6)


def test_to_int8_centers_logits_on_the_calibration_faces(float32: bytes) -> None:
    faces, _ = stripes.faces(20, seed=9)
    exact = logits(float32, faces)
    plain = logits(quantize(float32, measure(float32, faces)), faces)
    centered = logits(to_int8(float32, faces), faces)
    before = np.abs((plain - exact).mean(axis=0)).max()
    after = np.abs((centered - exact).mean(axis=0)).max()
    assert after < 0.5 * before
