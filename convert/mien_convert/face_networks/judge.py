"""Builds the network that judges places of photographs, and changes what it learns from.

It is trained, quantised and measured as the one behind the cascades is
(convert/mien_convert/face_networks/faceness.py).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
from mien.detection.still_verifier import SIZE

from mien_convert.face_networks import faceness
from mien_convert.face_networks.places import Places, Views

WIDTH = 0.35  # of MobileNetV2
LAST = "block_16_project_BN"  # the layer of it that is kept last: 2 x 2 places, 112 channels
RATE = 1e-3  # of AdamW: the weights are near what is wanted
DROPPED = 0.2
SOFT, SHARP = 0.2, 0.45  # shares of the views, the second counted from the first


def build(weights: str | Path | None) -> Any:
    """Return the Keras network: standardised gray [n, SIZE, SIZE, 1] in [-1, 1] to log odds [n, 1].

    MobileNetV2 (Sandler et al., CVPR 2018) up to its last block; each of the places that are left
    has weights of its own. `weights` as train.network.build takes them: what photographs look like
    it knows from ImageNet. Raises UserError where they do not fit.
    """
    import keras
    from mien_train.classifier import model as network

    whole = network.build(SIZE, WIDTH, 2, weights, 1, momentum=0.95)
    x = keras.layers.Flatten()(whole.get_layer(LAST).output)
    x = keras.layers.Dropout(DROPPED)(x)
    return keras.Model(whole.input, keras.layers.Dense(1)(x), name="judge")


def train(network: Any, places: Places, epochs: int, seed: int, name: str) -> None:
    """Train a network of `build`; `name` is what the progress bar says."""
    faceness.train(network, places, epochs, seed, name, RATE, changed)


def changed(views: Views, rng: np.random.Generator) -> Views:
    """Return views changed as those of the other network, and some out of focus or sharpened.

    FER-2013's faces are enlarged in made scenes, a camera's are as sharp as all else.
    """
    shown = faceness.changed(views, rng)
    for index, kind in enumerate(rng.random(len(views))):
        if kind >= SHARP:
            continue
        soft = cv2.GaussianBlur(shown[index], (0, 0), float(rng.uniform(0.4, 1.3)))
        if kind >= SOFT:
            more = float(rng.uniform(0.3, 1.3))
            soft = cv2.addWeighted(shown[index], 1 + more, soft, -more, 0)
        shown[index] = soft
    return shown
