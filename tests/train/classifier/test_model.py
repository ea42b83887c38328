"""The gray network is MobileNetV2, and trains and saves as Keras' own layers would."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from mien.classification.preprocess import normalize
from mien.errors import UserError
from mien_train.classifier.batchnorm import FusedBatchNormalization, plain
from mien_train.classifier.model import build
from mien_train.classifier.predict import load_model, logits, save_model


@pytest.fixture
def faces() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (5, 32, 32), np.uint8)


@pytest.fixture(scope="module")
def network() -> keras.Model:
    return build(size=32, alpha=0.35, weights=None)


def test_build_for_gray_equals_rgb_network_on_gray_channels(faces: np.ndarray, tmp_path) -> None:
    rgb = keras.applications.MobileNetV2((32, 32, 3), alpha=0.35, include_top=False, weights=None)
    # Statistics that are not 0 and 1, as in trained weights.
    rng = np.random.default_rng(1)
    rgb.set_weights([w + rng.uniform(0, 0.1, w.shape) for w in rgb.get_weights()])
    file = tmp_path / "rgb.weights.h5"
    rgb.save_weights(file)
    gray = build(size=32, alpha=0.35, stem_stride=2, weights=file)
    features = keras.Model(gray.input, gray.get_layer("out_relu").output)
    x = normalize(faces)
    expected = rgb(np.repeat(x, 3, axis=-1))
    np.testing.assert_allclose(features(x), expected, atol=1e-4)


def test_build_with_stem_stride_1_has_the_maps_of_twice_the_size(network: keras.Model) -> None:
    far = build(size=64, alpha=0.35, stem_stride=2, weights=None)
    behind = [[layer.output.shape for layer in net.layers[2:]] for net in (network, far)]
    assert behind[0] == behind[1]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"stem_stride": 3}, "take 1 or 2"),
        ({"size": 8}, "take an even size"),
        ({"weights": "nowhere.h5"}, "no weights at nowhere.h5"),
    ],
)
def test_build_with_unfit_options_raises(options: dict, words: str) -> None:
    with pytest.raises(UserError, match=words):
        build(**{"weights": None, "alpha": 0.35, **options})


@pytest.mark.filterwarnings("ignore:Skipping nested container")
def test_build_with_weights_of_another_network_raises(tmp_path) -> None:
    file = tmp_path / "other.weights.h5"
    keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)]).save_weights(file)
    with pytest.raises(UserError, match="belongs to this alpha"):
        build(size=32, alpha=0.35, weights=file)


def test_fused_batchnorm_in_training_matches_keras() -> None:
    rng = np.random.default_rng(2)
    ours, theirs = (
        kind(momentum=0.9) for kind in (FusedBatchNormalization, keras.layers.BatchNormalization)
    )
    for _ in range(5):
        x = rng.normal(1.0, 3.0, (64, 8, 8, 4)).astype("float32")
        np.testing.assert_allclose(ours(x, training=True), theirs(x, training=True), atol=1e-4)
    for mine, other in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        # The kernel's variance is the unbiased one: n / (n - 1).
        np.testing.assert_allclose(mine, other, rtol=1e-3)


def test_save_model_of_plain_network_loads_without_custom_classes(
    network: keras.Model, faces: np.ndarray, tmp_path
) -> None:
    save_model(plain(network), tmp_path / "model.keras")
    assert [file.name for file in tmp_path.iterdir()] == ["model.keras"]
    loaded = load_model(tmp_path / "model.keras")
    assert not any(isinstance(layer, FusedBatchNormalization) for layer in loaded.layers)
    np.testing.assert_allclose(logits(loaded, faces), logits(network, faces), atol=1e-5)


def test_logits_of_faces_of_another_size_resizes_them(network: keras.Model) -> None:
    flat = np.full((2, 48, 48), 90, np.uint8)
    np.testing.assert_allclose(logits(network, flat), logits(network, flat[:, :32, :32]), atol=1e-5)


@pytest.mark.parametrize("content", [b"", b"not a model"])
def test_load_model_of_another_file_raises(tmp_path, content: bytes) -> None:
    file = tmp_path / "model.keras"
    file.write_bytes(content)
    with pytest.raises(UserError, match=r"give the model\.keras"):
        load_model(file)
    with pytest.raises(UserError, match="there is no"):
        load_model(tmp_path / "absent.keras")
