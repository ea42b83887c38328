"""Makes what stands behind the faces of a made scene: texture, shapes, or a part of a picture."""

from __future__ import annotations

import math

import cv2
import numpy as np
import numpy.typing as npt

Gray = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]

WIDTH, HEIGHT = 640, 480  # px
MARGIN = 24  # px of scene around the picture, for the camera to move in
GROUNDS = 40  # made scenes out of which pieces are cut
LARGEST_PART = 2.5  # times that a picture is enlarged beyond what fills a scene, at most


def background(rng: np.random.Generator) -> Floats:
    """Return a scene with texture at every scale, edges and regular patterns, float32 [H, W]."""
    height, width = HEIGHT + 2 * MARGIN, WIDTH + 2 * MARGIN
    scene = np.full((height, width), rng.uniform(80, 150), np.float32)
    for cell in (240, 120, 60, 30, 15, 7, 3):
        grid = rng.normal(0, 1, (height // cell + 2, width // cell + 2)).astype(np.float32)
        octave = cv2.resize(grid, (width, height), interpolation=cv2.INTER_CUBIC)
        scene += 2.6 * cell**0.5 * octave
    for _ in range(18):  # furniture, windows, lamps
        centre = (int(rng.integers(0, width)), int(rng.integers(0, height)))
        size = (int(rng.integers(10, 110)), int(rng.integers(10, 110)))
        tone = float(rng.uniform(20, 235))
        layer = scene.copy()
        if rng.random() < 0.5:
            corner = (centre[0] + size[0], centre[1] + size[1])
            cv2.rectangle(layer, centre, corner, tone, -1)
        else:
            cv2.ellipse(layer, centre, size, float(rng.uniform(0, 180)), 0, 360, tone, -1)
        weight = float(rng.uniform(0.4, 0.9))
        scene = (1 - weight) * scene + weight * layer
    left, top = int(rng.integers(0, width // 2)), int(rng.integers(0, height // 2))
    for book in range(16):  # a shelf
        x = left + book * 14
        y = top + int(rng.integers(0, 14))
        cv2.rectangle(scene, (x, y), (x + 11, top + 90), float(rng.uniform(20, 235)), -1)
    return np.asarray(cv2.GaussianBlur(scene, (0, 0), 0.8), np.float32)


def grounds(rng: np.random.Generator) -> list[Gray]:
    """Return what is behind the people of some made scenes, to cut pieces out of."""
    return [np.clip(background(rng), 0, 255).astype(np.uint8) for _ in range(GROUNDS)]


def part_of(picture: Gray, rng: np.random.Generator) -> Floats:
    """Return a part of a picture, or all of it, as large as a scene."""
    height, width = HEIGHT + 2 * MARGIN, WIDTH + 2 * MARGIN
    least = max(height / picture.shape[0], width / picture.shape[1])
    scale = least * math.exp(rng.uniform(0, math.log(LARGEST_PART)))
    flags = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    grown = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=flags)
    grown = np.pad(grown, ((0, 2), (0, 2)), mode="edge")  # what rounding may lack
    top = int(rng.integers(0, grown.shape[0] - height + 1))
    left = int(rng.integers(0, grown.shape[1] - width + 1))
    return grown[top : top + height, left : left + width].astype(np.float32)
