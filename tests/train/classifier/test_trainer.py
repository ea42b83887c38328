"""What a training step is told to learn."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from mien_train.classifier.recipe import Augmentation, Recipe
from mien_train.classifier.trainer import Trainer

STILL = Augmentation(0, 0, 0, 0, 0, 0, 0)


def seen_targets(share: float, training: bool) -> np.ndarray:
    """The targets that come out beside the logits, with a teacher who always says class 2."""
    network = keras.Sequential(
        [keras.Input((8, 8, 1)), keras.layers.Flatten(), keras.layers.Dense(3)]
    )
    opinion = np.array([[0.1, 0.1, 0.8]], "float32")
    recipe = Recipe(size=8, teacher_share=share, augmentation=STILL)
    trainer = Trainer(network, recipe, lambda x: keras.ops.tile(opinion, (x.shape[0], 1)))
    inputs = {
        "image": np.zeros((4, 8, 8), np.uint8),
        "target": np.eye(3, dtype="float32")[[0, 0, 1, 1]],
    }
    assert len(trainer.trainable_variables) == 2  # of the pupil alone
    return keras.ops.convert_to_numpy(trainer(inputs, training=training))[:, 3:]


@pytest.mark.parametrize("share", [0.0, 0.25, 1.0])
def test_trainer_mixes_teacher_probabilities_into_targets(share: float) -> None:
    own = np.eye(3)[[0, 0, 1, 1]]
    expected = (1 - share) * own + share * np.array([0.1, 0.1, 0.8])
    np.testing.assert_allclose(seen_targets(share, True), expected, atol=1e-6)


def test_trainer_outside_training_calls_no_teacher() -> None:
    np.testing.assert_allclose(seen_targets(0.5, False), np.eye(3)[[0, 0, 1, 1]])
