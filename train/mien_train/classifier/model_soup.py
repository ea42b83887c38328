"""Model soup: the average of the weights of networks fine-tuned from the same one.

Such networks lie close enough together for the mean of their weights to be a network at least as
good as their ensemble, at the cost of one (Wortsman et al., "Model soups", 2022).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np
from mien.errors import UserError

from mien_train.classifier.predict import load_model
from mien_train.classifier.trainer import recalibrate_batchnorm


def average(paths: Sequence[Path], shares: Sequence[float], faces: np.ndarray) -> keras.Model:
    """Return the network whose weights are the mean of those in ``paths``, each times its share.

    ``shares`` are made to sum to 1. ``faces`` (uint8 [n, s, s], some thousand, mixed) are what each
    BatchNorm takes its statistics from anew: those of the networks do not fit their mean.
    Raises UserError where a file cannot be read or the networks are not alike.
    """
    if len(shares) != len(paths) or min(shares) < 0 or sum(shares) <= 0:
        raise UserError(
            f"{len(paths)} models want {len(paths)} shares, none under 0 and not all 0."
        )
    networks = [load_model(path) for path in paths]
    forms = [[weight.shape for weight in network.get_weights()] for network in networks]
    for path, form in zip(paths, forms, strict=True):
        if form != forms[0]:
            raise UserError(f"{path} is another network than {paths[0]}: average what is alike.")
    parts = np.asarray(shares, "float64") / sum(shares)
    mean = networks[0]
    mean.set_weights(
        [
            sum(part * weight for part, weight in zip(parts, weights, strict=True))
            for weights in zip(*(network.get_weights() for network in networks), strict=True)
        ]
    )
    recalibrate_batchnorm(mean, faces)
    return mean


def adjust_logits(network: keras.Model, tau: float, prior: np.ndarray) -> None:
    """Subtract ``tau`` times the log of ``prior``, float [classes], from the network's logits.

    Post-hoc logit adjustment (Menon et al., "Long-tail learning via logit adjustment", 2021): rare
    classes are read more often, as on pictures where they are less rare.
    """
    layer = network.get_layer("logits")
    kernel, bias = layer.get_weights()
    layer.set_weights([kernel, bias - tau * np.log(np.maximum(prior, 1e-6))])
