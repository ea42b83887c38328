"""Numbers of a training run of the face detector."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class DetectorRecipe:
    """Numbers of a training run."""

    height: int = 240  # pixels of the training views
    width: int = 320
    epochs: int = 36
    steps: int = 400  # batches an epoch
    batch: int = 16  # views
    rate: float = 2e-3  # peak learning rate of AdamW
    warmup: float = 0.5  # epochs
    last: float = 0.01  # the rate falls by a cosine to this share of its peak
    weight_decay: float = 0.01
    average: float = 0.998  # momentum of the averaged weights, a step
    validate_every: int = 4  # epochs
    large_every: int = 12  # epochs between validations at twice the size
    seed: int = 7
