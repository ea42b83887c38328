"""A trained Keras model read back and asked for logits."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
from mien.atomic import replacing
from mien.errors import UserError

from mien_train.classifier.model import to_input
from mien_train.distributed import process_index_and_count


def load_model(path: str | Path) -> keras.Model:
    """Read ``model.keras``. Raises UserError where it is missing or is no such model."""
    path = Path(path)
    if not path.is_file():
        raise UserError(f"no model at {path}: give the model.keras that mien-train fit wrote.")
    try:
        model = keras.saving.load_model(path, compile=False)
    except (ValueError, OSError, KeyError, TypeError) as error:
        reason = str(error).strip().splitlines()[0][:200]
        raise UserError(
            f"{path} does not load as a Keras model ({reason}): "
            "give the model.keras that mien-train fit wrote."
        ) from error
    shape = model.input_shape
    if len(shape) != 4 or shape[1] != shape[2] or shape[3] != 1 or len(model.output_shape) != 2:
        raise UserError(
            f"{path} takes {shape} and gives {model.output_shape}, not gray squares to logits: "
            "give the model.keras that mien-train fit wrote."
        )
    return model


def inputs(model: keras.Model, images: np.ndarray) -> Any:
    """What ``model`` takes for gray bytes ``uint8 [n, h, w]``: float32 [n, s, s, 1] in [-1, 1].

    Faces of another size than the model's are resized with antialiasing by the backend.
    """
    size, x = model.input_shape[1], to_input(images)
    return x if x.shape[1] == size else keras.ops.image.resize(x, (size, size), antialias=True)


def logits(model: keras.Model, images: np.ndarray, batch: int = 256) -> np.ndarray:
    """Logits ``float32 [n, classes]`` of gray bytes ``uint8 [n, h, w]``."""
    found = []
    if keras.backend.backend() == "jax":
        # Its step gives the weights' memory away, which an average of them may be sharing.
        model.set_weights(model.get_weights())
    if process_index_and_count()[1] > 1:
        # Keras keeps how the outputs are spread, by which layers were trainable back then.
        model.predict_function = None
    for start in range(0, len(images), batch):
        found.append(model.predict_on_batch(inputs(model, images[start : start + batch])))
    if not found:
        return np.zeros((0, model.output_shape[-1]), "float32")
    return np.concatenate(found).astype("float32")


def save_model(model: keras.Model, path: Path) -> None:
    """Write ``model`` as .keras to ``path`` atomically."""
    with replacing(path) as part:
        model.save(part)
