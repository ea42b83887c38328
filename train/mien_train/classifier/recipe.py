"""Recipe of a training run: all hyperparameters."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field


@dataclass(frozen=True)
class Augmentation:
    """Augmentation of training faces."""

    rotate: float = 18.0  # degrees, either way
    zoom: float = 0.18  # fraction of the size, larger or smaller
    shift: float = 0.08  # fraction of the side, in x and in y: what a detector's box is off by
    contrast: float = 0.3  # fraction
    brightness: float = 0.2  # of the half range [-1, 1]
    erase: float = 0.4  # probability that a rectangle is replaced by noise
    mixup: float = 0.35  # probability that a face is mixed with another one of its batch
    degrade: float = 0.0  # probability of few pixels, of blur, of darkness, of noise

    def times(self, factor: float) -> Augmentation:
        """Return all amounts times ``factor``; probabilities are at most 1."""
        amounts = {name: amount * factor for name, amount in asdict(self).items()}
        probabilities = {name: min(1.0, amounts[name]) for name in ("erase", "mixup", "degrade")}
        return Augmentation(**amounts | probabilities)


@dataclass(frozen=True)
class Recipe:
    """A fine-tuning: the new head on a frozen backbone, then everything, small faces first."""

    size: int = 48  # pixels, side of the network's input
    alpha: float = 1.0  # MobileNetV2's width
    stem_stride: int = 1
    dropout: float = 0.3
    head_epochs: int = 2
    small_size: int = 32  # pixels, side of the faces in the stage of small faces
    small_epochs: int = 0
    epochs: int = 45  # of the last stage
    batch: int = 64  # images
    head_rate: float = 1e-3  # learning rate of the first stage
    rate: float = 1e-3  # peak learning rate of the stages that train everything
    warmup: float = 1.0  # epochs
    weight_decay: float = 0.05
    smoothing: float = 0.1  # label smoothing
    teacher_share: float = 0.5  # of a teacher's opinion in the targets, where there is a teacher
    logit_adjust: float = 0.0  # times log prior added to the logits in the loss
    ema: float = 0.99  # momentum of the average of the weights, per step; 0: no average
    momentum: float = 0.9  # of the moving statistics of every BatchNorm
    freeze_statistics: bool = False  # BatchNorm as at inference, throughout
    validate_every: int = 0  # epochs; 0: so that it costs at most about half of the training
    seed: int = 7
    augmentation: Augmentation = field(default_factory=Augmentation)


# Few images: many epochs of faces of 32 px, which cost little, and all of it changed more.
BALANCED = Recipe(small_epochs=64, epochs=24, augmentation=Augmentation().times(1.3))
# Ten times the images: fewer epochs, less change to each face, a longer average, and a slower
# moving BatchNorm. Half of the epochs see faces of 32 px, which takes less than half of the time
# (Howard & Gugger, "fastai: A Layered API for Deep Learning", 2020: progressive resizing).
FULL = Recipe(
    head_epochs=1,
    small_epochs=14,
    epochs=16,
    ema=0.998,
    momentum=0.95,
    dropout=0.2,
    augmentation=Augmentation(rotate=15.0, zoom=0.15, erase=0.25, mixup=0.2),
)
