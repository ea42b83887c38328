"""Synthetic scenes with a known number of moving faces, from the demo's portraits."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from mien.boxes import Box, iou
from mien.errors import UserError
from mien.image import load_image
from mien.sources.base import Frame
from mien.tflite.model_file import MODELS

Gray = npt.NDArray[np.uint8]  # [H, W]

FPS = 30.0
PERIOD_S = 8.0  # a face is back where it was
PORTRAITS = MODELS.parent / "demo" / "portraits"
# The faces in the portraits, forehead to chin: left, top, width and height in px.
PEOPLE: tuple[tuple[str, Box], ...] = (
    ("hopper.jpg", (174, 102, 181, 228)),
    ("collins.jpg", (142, 59, 92, 114)),
)
CUTOUT_SIDES = 1.7  # side of the cut-out in heights of the face: hair and chin come along
LEAF_SIDES = (0.02, 0.5)  # of the height: the smallest and largest disk of the background
LEAVES = 1500
TEXTURE_STD = 6.0  # gray steps, of the texture on the disks
NOISE_STD = 2.0  # standard deviation of the camera's noise, gray steps
NOISE_FRAMES = 4  # pictures of noise, which take turns
MATCH_IOU = 0.3  # least IoU of a box and the face that it has found


@dataclass(frozen=True)
class SyntheticFace:
    """A portrait with its path through the scene."""

    pixels: npt.NDArray[np.float32]  # [n, n]; the face's box is the middle 1/CUTOUT_SIDES
    alpha: npt.NDArray[np.float32]  # [n, n], 0 to 1
    center: tuple[float, float]  # px in the frame, about which it moves
    sway: tuple[float, float]  # px, amplitudes
    side: float  # px, height of the face on average
    aspect: float  # its width over its height
    phase: float  # radians


class Scene:
    """`faces` portraits moving before a photograph-like background, 30 frames a second.

    Each face keeps to a cell of its own, so that all are seen in every frame. The same arguments
    give the same frames. One face is 0.3 of the height; more are as large as their cells let them.
    Raises UserError for a number of faces that does not fit.
    """

    def __init__(self, faces: int, width: int, height: int, seed: int = 7) -> None:
        self.faces, self.width, self.height = faces, width, height
        random = np.random.default_rng([seed, width, height])
        self._background = background(random, width, height)
        self._noise = [_noise(random, width, height) for _ in range(NOISE_FRAMES)]
        self._faces = _arrange(faces, width, height)

    def frame(self, index: int) -> Frame:
        """Return a frame, gray only."""
        gray = self._background.copy()
        for face, box in zip(self._faces, self.boxes(index), strict=True):
            _paste(gray, face, box)
        noisy = cv2.add(gray, self._noise[index % NOISE_FRAMES], dtype=cv2.CV_8U)
        return Frame(index, index / FPS, np.asarray(noisy, np.uint8))

    def boxes(self, index: int) -> list[Box]:
        """Return the true boxes of a frame, from forehead to chin."""
        turn = 2 * math.pi * index / (FPS * PERIOD_S)
        found = []
        for face in self._faces:
            height = face.side * (1 + 0.08 * math.sin(turn + 2 * face.phase))
            width = face.aspect * height
            x = face.center[0] + face.sway[0] * math.sin(turn + face.phase)
            y = face.center[1] + face.sway[1] * math.sin(2 * turn + face.phase)
            left, top = round(x - width / 2), round(y - height / 2)
            found.append((left, top, round(width), round(height)))
        return found


def background(random: np.random.Generator, width: int, height: int) -> Gray:
    """Return a photograph-like background, uint8 [height, width]: opaque disks before each other.

    The "dead leaves" model of natural images (Lee, Mumford & Huang, "Occlusion Models for Natural
    Images", IJCV 2001): disks of all sizes, their number falling with the cube of the radius, give
    edges and surfaces at every scale as in photographs; each has its own gray and a texture.
    """
    low, high = (share * height for share in LEAF_SIDES)
    picture = np.full((height, width), 128, np.uint8)
    # The inverse of the cumulative distribution of r^-3 between both radii.
    radii = 1 / np.sqrt(1 / low**2 - random.random(LEAVES) * (1 / low**2 - 1 / high**2))
    middles = random.random((LEAVES, 2)) * (width, height)
    grays = np.clip(random.normal(120, 45, LEAVES), 10, 245)
    for (x, y), radius, gray in zip(middles, radii, grays, strict=True):
        cv2.circle(picture, (round(x), round(y)), round(radius), float(gray), -1, cv2.LINE_AA)
    # 32 bits and in place: a bench that measures memory should not need much itself.
    texture = random.standard_normal((height, width), np.float32)
    cv2.GaussianBlur(texture, (0, 0), 1.0, texture)
    texture *= TEXTURE_STD / float(texture.std())
    textured = cv2.add(picture, texture, dtype=cv2.CV_8U)
    return np.asarray(cv2.GaussianBlur(textured, (0, 0), 0.7), np.uint8)


def _noise(random: np.random.Generator, width: int, height: int) -> npt.NDArray[np.int8]:
    values = NOISE_STD * random.standard_normal((height, width), np.float32)
    return np.asarray(np.rint(values), np.int8)


def _arrange(count: int, width: int, height: int) -> list[SyntheticFace]:
    columns = max(1, math.ceil(math.sqrt(count * width / height)))
    rows = math.ceil(count / columns) if count else 1
    cell_w, cell_h = width / columns, height / rows
    side = min(0.3 * height, 0.52 * cell_w, 0.52 * cell_h)
    if count < 0 or side < 24:
        raise UserError(f"{count} faces do not fit into {width}x{height} px; ask for fewer.")
    cuts = [(*_cut_out(name, face), face[2] / face[3]) for name, face in PEOPLE]
    room_x, room_y = (cell_w - side * CUTOUT_SIDES * 0.8) / 2, (cell_h - side * CUTOUT_SIDES) / 2
    faces = []
    for number in range(count):
        pixels, alpha, aspect = cuts[number % len(cuts)]
        if number // len(cuts) % 2:
            pixels = np.ascontiguousarray(pixels[:, ::-1])  # alpha is symmetric
        row, column = divmod(number, columns)
        center = ((column + 0.5) * cell_w, (row + 0.5) * cell_h)
        sway = (max(0.0, min(room_x, 0.2 * width)), max(0.0, min(room_y, 0.1 * height)))
        faces.append(SyntheticFace(pixels, alpha, center, sway, side, aspect, 2.4 * number))
    return faces


def _cut_out(name: str, face: Box) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Return a face with hair and chin, float32 [n, n], and an oval that fades at its border."""
    gray = load_image(PORTRAITS / name).gray
    left, top, width, height = face
    n = round(height * CUTOUT_SIDES)
    around = np.pad(gray, n, mode="edge")  # px (left, top) is now n further
    left, top = left + width // 2 - n // 2 + n, top + height // 2 - n // 2 + n
    pixels = around[top : top + n, left : left + n]
    at = (np.arange(n, dtype=np.float32) + 0.5) / n * 2 - 1
    radius = np.hypot(at[None, :] / 0.8, at[:, None] / 0.97)
    alpha = np.clip((1 - radius) / 0.12, 0, 1)
    return pixels.astype(np.float32), alpha.astype(np.float32)


def _paste(gray: Gray, face: SyntheticFace, box: Box) -> None:
    """Draw a face so that it fills the box, clipped to the frame."""
    x, y, width, height = box
    n = round(height * CUTOUT_SIDES)
    left, top = x + width // 2 - n // 2, y + height // 2 - n // 2
    pixels = cv2.resize(face.pixels, (n, n), interpolation=cv2.INTER_AREA)
    alpha = cv2.resize(face.alpha, (n, n), interpolation=cv2.INTER_AREA)
    rows = slice(max(top, 0), min(top + n, gray.shape[0]))
    columns = slice(max(left, 0), min(left + n, gray.shape[1]))
    inside = (
        slice(rows.start - top, rows.stop - top),
        slice(columns.start - left, columns.stop - left),
    )
    under, share = gray[rows, columns], alpha[inside]
    gray[rows, columns] = np.asarray(under + share * (pixels[inside] - under), np.uint8)


@dataclass
class DetectionCounts:
    """Counts of true and false detections."""

    faces: int = 0
    hits: int = 0
    false_boxes: int = 0

    def add(self, truth: Sequence[Box], boxes: Sequence[Box]) -> None:
        """Count a frame; a box on no face, and a second box on a face, are false detections."""
        left = list(boxes)
        for face in truth:
            best = max(left, key=lambda box: iou(box, face), default=None)
            if best is not None and iou(best, face) >= MATCH_IOU:
                left.remove(best)
                self.hits += 1
        self.faces += len(truth)
        self.false_boxes += len(left)

    def summary(self) -> dict[str, Any]:
        """Return the JSON fields."""
        return {
            "recall": round(self.hits / self.faces, 4) if self.faces else None,
            "false_boxes": self.false_boxes,
        }
