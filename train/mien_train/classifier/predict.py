"""Inference with a trained Keras model; loading and saving it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
from mien.atomic import replacing
from mien.classification.preprocess import normalize
from mien.errors import UserError

from mien_train.data.labels import LABELS


def load_model(path: str | Path) -> keras.Model:
    """Read ``model.keras``. Raises UserError where it is missing or is no classifier of faces."""
    path = Path(path)
    if not path.is_file():
        raise UserError(f"there is no {path}: give the model.keras that mien-train fit wrote.")
    try:
        model = keras.saving.load_model(path, compile=False)
    except Exception as error:  # Keras raises nearly every type for a damaged file
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
        raise UserError(
            f"{path} cannot be read as a Keras model ({reason}): "
            "give the model.keras that mien-train fit wrote."
        ) from error
    require_classifier(model, str(path))
    return model


def require_classifier(model: keras.Model, name: str) -> None:
    """Raise UserError unless a network maps gray squares [n, S, S, 1] to logits [n, 7]."""
    given = [tuple(tensor.shape) for tensor in model.inputs]
    made = [tuple(tensor.shape) for tensor in model.outputs]
    side = given[0][1] if len(given) == 1 and len(given[0]) == 4 else None
    fits = side is not None and given[0][1:] == (side, side, 1)
    if not fits or [shape[1:] for shape in made] != [(len(LABELS),)]:
        raise UserError(
            f"{name} takes {_shapes(given)} and gives {_shapes(made)} instead of gray squares "
            f"[n, S, S, 1] and logits [n, {len(LABELS)}]: train it with mien-train fit."
        )


def _shapes(shapes: list[tuple[int | None, ...]]) -> str:
    return ", ".join(
        "[" + ", ".join("n" if side is None else str(side) for side in shape) + "]"
        for shape in shapes
    )


def inputs(model: keras.Model, images: np.ndarray) -> Any:
    """Preprocess gray bytes ``uint8 [n, h, w]`` to ``float32 [n, s, s, 1]`` in [-1, 1].

    Faces of another size than the model's are resized with antialiasing by the backend.
    """
    size, x = model.input_shape[1], normalize(images)
    return x if x.shape[1] == size else keras.ops.image.resize(x, (size, size), antialias=True)


def logits(model: keras.Model, images: np.ndarray, batch: int = 256) -> np.ndarray:
    """Logits ``float32 [n, classes]`` of gray bytes ``uint8 [n, h, w]``."""
    found = []
    if keras.backend.backend() == "jax":
        # Its step gives the weights' memory away, which an average of them may be sharing.
        model.set_weights(model.get_weights())
    for start in range(0, len(images), batch):
        found.append(model.predict_on_batch(inputs(model, images[start : start + batch])))
    if not found:
        return np.zeros((0, model.output_shape[-1]), "float32")
    return np.concatenate(found).astype("float32")


def save_model(model: keras.Model, path: Path) -> None:
    """Write ``model`` as .keras to ``path`` atomically."""
    with replacing(path) as part:
        model.save(part)
