"""The parts of a face that have a network, and their crops."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from mien.alertness.crop import EYE, MOUTH, CropShape

from mien_train.eyes.augment import crop
from mien_train.eyes.patches import EYE_SPANS, MOUTH_SPANS, Patches

Crops = npt.NDArray[np.uint8]  # [n, h, w]


@dataclass(frozen=True)
class Part:
    """A part of the face with a network of its own."""

    name: str
    shape: CropShape
    spans: dict[str, float]  # width of a patch in eye distances, by its source


PARTS = {"eyes": Part("eyes", EYE, EYE_SPANS), "mouth": Part("mouth", MOUTH, MOUTH_SPANS)}


def crops(patches: Patches, part: Part) -> Crops:
    """Return the crops of all patches as the device would cut them, uint8 [n, h, w]."""
    pairs = zip(patches.images, patches.source, strict=True)
    return np.stack([crop(image, part.spans[source], part.shape) for image, source in pairs])
