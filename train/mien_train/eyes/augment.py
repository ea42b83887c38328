"""Augmentation of patches of eyes and mouths: the errors of a landmark, a camera and its light.

Every patch is cut to the network's crop at a random width, place and angle, so that one network
reads patches that their publishers framed differently.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt
from mien.alertness.crop import CropShape, cut

Gray = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Augmentation:
    """How far a patch is changed; each value was set so that changed patches look natural."""

    scale: float = 1.25  # crop width from its own / scale to its own * scale
    shift: float = 0.08  # standard deviation of the center, eye distances: a detector's landmarks
    angle: float = 8.0  # standard deviation, degrees
    contrast: float = 0.45  # standard deviation of the log of the gain
    brightness: float = 30.0  # standard deviation, gray levels
    noise: float = 6.0  # greatest standard deviation, gray levels
    coarse: float = 0.35  # probability of a face too small for the network's input
    coarsest: float = 12.0  # px, the crop's width in the smallest face
    hidden: float = 0.1  # probability that a lens, a glare or an object hides the part
    foreign: float = 0.0  # share of objects in it; the rest are lenses and glares


def crop(image: Gray, span: float, shape: CropShape) -> Gray:
    """Return the middle of a patch as the device would cut it, uint8 [height, width].

    Args:
        image: the patch, uint8 [h, w].
        span: width of the patch in eye distances.
        shape: the network's crop.
    """
    distance = image.shape[1] / span
    return cut(image, _middle(image), shape.span * distance / shape.width, 0.0, shape)


def augmented(
    image: Gray, span: float, shape: CropShape, how: Augmentation, rng: np.random.Generator
) -> tuple[Gray, bool]:
    """Return a changed crop, uint8 [height, width], and whether what it shows can be seen."""
    distance = image.shape[1] / span
    shift = rng.normal(0, how.shift * distance, 2)
    x, y = _middle(image)
    scale = shape.span * how.scale ** rng.uniform(-1, 1) * distance / shape.width
    angle = np.radians(rng.normal(0, how.angle))
    if rng.random() < 0.5:
        image = np.ascontiguousarray(image[:, ::-1])
    pixels = cut(image, (x + shift[0], y + shift[1]), scale, angle, shape).astype(np.float32)
    hidden = rng.random() < how.hidden
    if hidden:
        kind = rng.random()
        cover = _foreign if kind < how.foreign else _lens if rng.random() < 0.7 else _glare
        pixels = cover(pixels, rng)
    if rng.random() < how.coarse:
        pixels = _coarse(pixels, int(rng.uniform(how.coarsest, shape.width)))
    mean = pixels.mean()
    gain = np.exp(rng.normal(0, how.contrast))
    pixels = (pixels - mean) * gain + mean + rng.normal(0, how.brightness)
    pixels += rng.normal(0, 1, pixels.shape) * rng.uniform(0, how.noise)
    return np.clip(np.round(pixels), 0, 255).astype(np.uint8), not hidden


def _middle(image: Gray) -> tuple[float, float]:
    return (image.shape[1] - 1) / 2, (image.shape[0] - 1) / 2


def _coarse(pixels: Floats, across: int) -> Floats:
    """Return the crop as a camera with fewer pixels would show it."""
    height, width = pixels.shape
    small = cv2.resize(
        pixels, (across, max(4, across * height // width)), interpolation=cv2.INTER_AREA
    )
    return np.asarray(
        cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR), np.float32
    )


def _lens(pixels: Floats, rng: np.random.Generator) -> Floats:
    """Return the crop behind a dark lens of sunglasses."""
    height, width = pixels.shape
    center = rng.normal((width / 2, height / 2), (width / 13, height / 10))
    axes = rng.uniform((0.38 * width, 0.38 * height), (0.65 * width, 0.7 * height))
    power = rng.uniform(2, 5)  # from an ellipse to a rounded rectangle
    mask = _soft_mask(pixels, center, axes, power)
    y, x = np.mgrid[:height, :width]
    slope = rng.normal(0, 12) * (y / height - 0.5) + rng.normal(0, 8) * (x / width - 0.5)
    lens = pixels * rng.uniform(0, 0.08) + rng.uniform(0.05, 0.45) * pixels.mean() + slope
    if rng.random() < 0.4:  # a reflection in the lens
        spot = ((x - rng.uniform(0, width)) / rng.uniform(2, 12)) ** 2
        spot = spot + ((y - rng.uniform(0, height)) / rng.uniform(1, 5)) ** 2
        lens = lens + rng.uniform(20, 120) * np.exp(-spot)
    return np.asarray(mask * lens + (1 - mask) * pixels, np.float32)


def _glare(pixels: Floats, rng: np.random.Generator) -> Floats:
    """Return the crop behind a lens that mirrors a bright window."""
    height, width = pixels.shape
    center = rng.normal((width / 2, height / 2), (width / 10, height / 12))
    axes = rng.uniform((0.3 * width, 0.25 * height), (0.6 * width, 0.6 * height))
    mask = _soft_mask(pixels, center, axes, 4.0) * rng.uniform(0.85, 1.0)
    return np.asarray(mask * rng.uniform(200, 290) + (1 - mask) * pixels, np.float32)


def _foreign(pixels: Floats, rng: np.random.Generator) -> Floats:
    """Return a texture in place of the crop: a mask, a hand, a cup or a page before the face."""
    height, width = pixels.shape
    if rng.random() < 0.5:  # part of the face, enlarged and turned: skin and hair
        zoom = rng.uniform(2, 5)
        turned = cv2.getRotationMatrix2D(
            tuple(rng.uniform(0, (width, height))), rng.uniform(60, 300), zoom
        )
        moved = cv2.warpAffine(pixels, turned, (width, height), borderMode=cv2.BORDER_REFLECT)
        return np.asarray(moved, np.float32)
    grain = rng.integers(2, 17, 2)  # noise of one grain, printed or woven
    noise = np.asarray(rng.normal(0, rng.uniform(5, 60), grain), np.float32)
    coarse = cv2.resize(noise, (width, height), interpolation=cv2.INTER_CUBIC)
    return np.asarray(coarse + rng.uniform(40, 220), np.float32)


def _soft_mask(
    pixels: Floats, center: npt.NDArray[np.float64], axes: npt.NDArray[np.float64], power: float
) -> Floats:
    """Return a superellipse, 1 inside and 0 outside, with a soft edge."""
    y, x = np.mgrid[: pixels.shape[0], : pixels.shape[1]]
    inside = np.abs((x - center[0]) / axes[0]) ** power + np.abs((y - center[1]) / axes[1]) ** power
    return np.asarray(cv2.GaussianBlur((inside < 1).astype(np.float32), (3, 3), 0), np.float32)
