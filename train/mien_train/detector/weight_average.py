"""Averaged weights: what a training run keeps as its model."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from mien_train.classifier.batchnorm import plain


class WeightAverage(keras.callbacks.Callback):
    """Exponential moving average of a network's weights and BatchNorm statistics.

    Keras' own (``use_ema``) overwrites the trained weights with the average at the end of every
    ``fit``, so that training in single epochs starts from the average each time. The momentum
    rises with the step, so that the random weights of the start are soon forgotten.
    """

    EVERY = 4  # steps

    def __init__(self, network: keras.Model, momentum: float, step: int = 0) -> None:
        super().__init__()
        self.network, self.momentum, self.step = network, momentum, step
        self.weights = [np.array(value) for value in network.get_weights()]

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Take the weights of every fourth step into the average."""
        self.step += 1
        if self.step % self.EVERY:
            return
        momentum = min(self.momentum, (1 + self.step) / (10 + self.step)) ** self.EVERY
        for mean, value in zip(self.weights, self.network.get_weights(), strict=True):
            mean += (1.0 - momentum) * (value - mean)

    def to_network(self) -> keras.Model:
        """A copy of the network with the averaged weights, of Keras' own layers."""
        copy = plain(self.network)
        copy.set_weights(self.weights)
        return copy
