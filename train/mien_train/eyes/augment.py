"""Augmentation of eye patches: the errors of a landmark, a camera and its light.

Every patch is cut to the network's crop at a random width, place and angle, so that one network
reads patches that their publishers framed differently.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt
from mien.alertness.crop import CROP_WIDTH, HEIGHT, WIDTH, affine

from mien_train.eyes.patches import SPANS, Patches

Gray = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Augmentation:
    """How far a patch is changed; each value was set so that changed patches look natural."""

    scale: float = 1.35  # crop width from CROP_WIDTH / scale to CROP_WIDTH * scale
    shift: float = 0.09  # standard deviation of the center, eye distances
    angle: float = 8.0  # standard deviation, degrees
    contrast: float = 0.45  # standard deviation of the log of the gain
    brightness: float = 30.0  # standard deviation, gray levels
    noise: float = 6.0  # greatest standard deviation, gray levels
    coarse: float = 0.5  # probability of a face too small for the network's input
    coarsest: float = 12.0  # px, the crop's width in the smallest face
    hidden: float = 0.15  # probability of a lens or a glare that hides the eye


def crop(image: Gray, span: float, width: float = CROP_WIDTH) -> Gray:
    """Return the middle of a patch as the device would cut it, uint8 [HEIGHT, WIDTH].

    Args:
        image: the patch, uint8 [h, w].
        span: width of the patch in eye distances.
        width: of the crop, in eye distances.
    """
    return _cut(image, span, width, (0.0, 0.0), 0.0, mirrored=False)


def crops(patches: Patches) -> Gray:
    """Return the crops of all patches as the device would cut them, uint8 [n, HEIGHT, WIDTH]."""
    pairs = zip(patches.images, patches.source, strict=True)
    return np.stack([crop(image, SPANS[source]) for image, source in pairs])


def augmented(
    image: Gray, span: float, how: Augmentation, rng: np.random.Generator
) -> tuple[Gray, bool]:
    """Return a changed crop, uint8 [HEIGHT, WIDTH], and whether its eye can be seen."""
    width = CROP_WIDTH * how.scale ** rng.uniform(-1, 1)
    shift = rng.normal(0, how.shift, 2)
    angle = np.radians(rng.normal(0, how.angle))
    view = _cut(image, span, width, (shift[0], shift[1]), angle, mirrored=rng.random() < 0.5)
    hidden = rng.random() < how.hidden
    pixels = view.astype(np.float32)
    if hidden:
        pixels = _glare(pixels, rng) if rng.random() < 0.3 else _lens(pixels, rng)
    if rng.random() < how.coarse:
        across = int(rng.uniform(how.coarsest, WIDTH))
        small = cv2.resize(
            pixels, (across, max(4, across * HEIGHT // WIDTH)), interpolation=cv2.INTER_AREA
        )
        pixels = np.asarray(
            cv2.resize(small, (WIDTH, HEIGHT), interpolation=cv2.INTER_LINEAR), np.float32
        )
    mean = pixels.mean()
    gain = np.exp(rng.normal(0, how.contrast))
    pixels = (pixels - mean) * gain + mean + rng.normal(0, how.brightness)
    pixels += rng.normal(0, 1, pixels.shape) * rng.uniform(0, how.noise)
    return np.clip(np.round(pixels), 0, 255).astype(np.uint8), not hidden


def _cut(
    image: Gray,
    span: float,
    width: float,
    shift: tuple[float, float],
    angle: float,
    mirrored: bool,
) -> Gray:
    height, across = image.shape
    if mirrored:
        image = np.ascontiguousarray(image[:, ::-1])
    distance = across / span  # px of the patch
    scale = width * distance / WIDTH
    if scale > 1.5:  # bilinear sampling would skip pixels
        image = np.asarray(cv2.blur(image, (round(scale), round(scale))), np.uint8)
    center = (across - 1) / 2 + shift[0] * distance, (height - 1) / 2 + shift[1] * distance
    cut = cv2.warpAffine(
        image,
        affine(center, scale, angle),
        (WIDTH, HEIGHT),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )
    return np.asarray(cut, np.uint8)


def _lens(pixels: npt.NDArray[np.float32], rng: np.random.Generator) -> npt.NDArray[np.float32]:
    """Return the crop behind a dark lens of sunglasses."""
    mask = np.zeros((HEIGHT, WIDTH), np.float32)
    center = rng.normal((WIDTH / 2, HEIGHT / 2), (3, 2.5))
    axes = rng.uniform((15, 9), (26, 17))
    power = rng.uniform(2, 5)  # from an ellipse to a rounded rectangle
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    mask = (
        np.abs((x - center[0]) / axes[0]) ** power + np.abs((y - center[1]) / axes[1]) ** power < 1
    ).astype(np.float32)
    mask = np.asarray(cv2.GaussianBlur(mask, (3, 3), 0), np.float32)
    slope = rng.normal(0, 12) * (y / HEIGHT - 0.5) + rng.normal(0, 8) * (x / WIDTH - 0.5)
    lens = pixels * rng.uniform(0, 0.08) + rng.uniform(0.05, 0.45) * pixels.mean() + slope
    if rng.random() < 0.4:  # a reflection in the lens
        spot = ((x - rng.uniform(0, WIDTH)) / rng.uniform(2, 12)) ** 2
        spot = spot + ((y - rng.uniform(0, HEIGHT)) / rng.uniform(1, 5)) ** 2
        lens = lens + rng.uniform(20, 120) * np.exp(-spot)
    return np.asarray(mask * lens + (1 - mask) * pixels, np.float32)


def _glare(pixels: npt.NDArray[np.float32], rng: np.random.Generator) -> npt.NDArray[np.float32]:
    """Return the crop behind a lens that mirrors a bright window."""
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    center = rng.normal((WIDTH / 2, HEIGHT / 2), (4, 2))
    axes = rng.uniform((12, 6), (24, 14))
    mask = (np.abs((x - center[0]) / axes[0]) ** 4 + np.abs((y - center[1]) / axes[1]) ** 4) < 1
    soft = np.asarray(cv2.GaussianBlur(mask.astype(np.float32), (5, 5), 0), np.float32)
    soft *= rng.uniform(0.85, 1.0)
    return np.asarray(soft * rng.uniform(200, 290) + (1 - soft) * pixels, np.float32)
