"""Augmentation changes faces and never what the network may see: range, shape, sum of targets."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from mien_train.classifier.augment import Augment
from mien_train.classifier.recipe import Augmentation

NOTHING = Augmentation(0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
TARGETS = np.eye(7, dtype="float32")


@pytest.fixture
def faces() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (7, 48, 48), np.uint8)


def test_augment_outside_training_only_scales(faces: np.ndarray) -> None:
    x, targets = Augment(48, Augmentation(), 1)(faces, TARGETS, training=False)
    np.testing.assert_allclose(np.array(x)[..., 0], faces / 127.5 - 1.0, atol=1e-6)
    np.testing.assert_array_equal(targets, TARGETS)


def test_augment_with_zero_amounts_only_mirrors(faces: np.ndarray) -> None:
    x, _ = Augment(48, NOTHING, 1)(faces, TARGETS, training=True)
    straight = faces / 127.5 - 1.0
    mirrored = 0
    for found, face in zip(np.array(x)[..., 0], straight, strict=True):
        if np.abs(found - face).max() > 1e-4:
            np.testing.assert_allclose(found, face[:, ::-1], atol=1e-4)
            mirrored += 1
    assert 0 < mirrored < len(faces)


def test_augment_in_training_keeps_range_shape_and_target_sum(faces: np.ndarray) -> None:
    amounts = Augmentation(mixup=1.0, erase=1.0)
    x, targets = Augment(40, amounts, 1)(faces, TARGETS, training=True)
    assert tuple(x.shape) == (7, 40, 40, 1)
    assert float(keras.ops.min(x)) >= -1.0
    assert float(keras.ops.max(x)) <= 1.0
    np.testing.assert_allclose(np.array(targets).sum(axis=1), 1.0, atol=1e-6)
    assert (np.array(targets).max(axis=1) < 1.0).any()
    # A face counts for at least as much as the one mixed into it.
    assert (np.array(targets).argmax(axis=1) == np.arange(7)).all()


def test_augment_shift_moves_by_at_most_the_amount() -> None:
    spot = np.zeros((64, 48, 48), np.uint8)
    spot[:, 24, 24] = 255
    amounts = Augmentation(0.0, 0.0, 0.1, 0.0, 0.0, 0.0, 0.0)
    x, _ = Augment(48, amounts, 3)(spot, np.zeros((64, 7), "float32"), training=True)
    at = np.array([np.unravel_index(i.argmax(), (48, 48)) for i in np.array(x)[..., 0]])
    off = np.abs(at - 23.5)
    assert off.max() <= 0.1 * 48 + 1.0
    assert off.max() > 2.0


def _degraded(faces: np.ndarray) -> np.ndarray:
    amounts = Augmentation(0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, degrade=1.0)
    targets = np.zeros((len(faces), 7), "float32")
    x, _ = Augment(48, amounts, 5)(faces, targets, training=True)
    return (np.array(x)[..., 0] + 1.0) * 127.5


def test_augment_degrade_darkens_and_adds_noise_in_range() -> None:
    found = _degraded(np.full((64, 48, 48), 200, np.uint8))
    assert found.min() >= 0.0
    assert found.max() <= 255.0
    means, noise = found.mean(axis=(1, 2)), found.std(axis=(1, 2))
    assert means.max() <= 201.0
    assert 38.0 <= means.min() < 70.0
    assert noise.max() < 21.0
    assert noise.max() > 10.0
    assert noise.min() < 4.0


def test_augment_degrade_blurs_and_takes_pixels_away() -> None:
    bar = np.full((64, 48, 48), 60, np.uint8)
    bar[:, :, 22:26] = 200  # in the middle, so that a mirrored one is the same
    rows = _degraded(bar).mean(axis=1)
    rows = (rows - rows[:, :12].mean(axis=1, keepdims=True))[:, 20:28]
    beside = 1.0 - rows[:, 2:6].sum(axis=1) / rows.sum(axis=1)
    assert beside.min() < 0.05
    assert 0.4 < beside.max() < 0.5  # by blur alone at most 0.37
