"""Synthetic scenes with a known number of moving faces, from the demo's portraits."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from mien.boxes import Box
from mien.errors import UserError
from mien.image import load_image
from mien.sources.base import Frame
from mien.tflite.model_file import MODELS

Gray = npt.NDArray[np.uint8]  # [H, W]

FPS = 30.0
PERIOD_S = 8.0  # a face is back where it was
PORTRAITS = MODELS.parent / "demo" / "portraits"
# The faces in the portraits, as Haar boxes them: left, top and side in px.
PEOPLE: tuple[tuple[str, tuple[int, int, int]], ...] = (
    ("hopper.jpg", (153, 104, 224)),
    ("collins.jpg", (135, 65, 99)),
)
CUTOUT_SIDES = 1.7  # side of the cut-out in sides of the face's box: hair and chin come along
BACKGROUND_STD = 28.0  # standard deviation of the background, gray steps: a room rather than a wall
NOISE_STD = 2.0  # standard deviation of the camera's noise, gray steps
NOISE_FRAMES = 4  # pictures of noise, which take turns


@dataclass(frozen=True)
class SyntheticFace:
    """One face and its path."""

    pixels: npt.NDArray[np.float32]  # [n, n]; the face's box is the middle 1/CUTOUT_SIDES
    alpha: npt.NDArray[np.float32]  # [n, n], 0 to 1
    center: tuple[float, float]  # px in the frame, about which it moves
    sway: tuple[float, float]  # px, amplitudes
    side: float  # px, of the face's box on average
    phase: float  # radians


class Scene:
    """`faces` portraits moving before a textured background, `width` x `height` px, 30 frames/s.

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
        """Return where the faces are in a frame, as Haar would box them."""
        turn = 2 * math.pi * index / (FPS * PERIOD_S)
        found = []
        for face in self._faces:
            side = face.side * (1 + 0.08 * math.sin(turn + 2 * face.phase))
            x = face.center[0] + face.sway[0] * math.sin(turn + face.phase)
            y = face.center[1] + face.sway[1] * math.sin(2 * turn + face.phase)
            found.append((round(x - side / 2), round(y - side / 2), round(side), round(side)))
        return found


def background(random: np.random.Generator, width: int, height: int) -> Gray:
    """Return a background, uint8 [height, width], whose amplitudes fall as 1/f.

    So do those of natural scenes (Field, "Relations between the statistics of natural images and
    the response properties of cortical cells", 1987); a plain wall would flatter a cascade, which
    gives plain places up at once.
    """
    # At half the size and enlarged: finest detail is the camera's noise, and a bench that measures
    # memory should not need much itself.
    rows, columns = (height + 1) // 2, (width + 1) // 2
    spectrum = np.fft.rfft2(random.standard_normal((rows, columns)))
    down = np.fft.fftfreq(rows)[:, None] * rows
    across = np.fft.rfftfreq(columns)[None, :] * columns
    frequency = np.hypot(down, across)
    frequency[0, 0] = 1
    picture = np.fft.irfft2(spectrum / frequency, (rows, columns))
    picture = 128 + BACKGROUND_STD * (picture - picture.mean()) / picture.std()
    gray = np.asarray(np.clip(picture, 0, 255), np.uint8)
    return np.asarray(cv2.resize(gray, (width, height), interpolation=cv2.INTER_LINEAR), np.uint8)


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
    cuts = [_cut_out(name, face) for name, face in PEOPLE]
    room_x, room_y = (cell_w - side * CUTOUT_SIDES * 0.8) / 2, (cell_h - side * CUTOUT_SIDES) / 2
    faces = []
    for number in range(count):
        pixels, alpha = cuts[number % len(cuts)]
        if number // len(cuts) % 2:
            pixels = np.ascontiguousarray(pixels[:, ::-1])  # alpha is symmetric
        row, column = divmod(number, columns)
        center = ((column + 0.5) * cell_w, (row + 0.5) * cell_h)
        sway = (max(0.0, min(room_x, 0.2 * width)), max(0.0, min(room_y, 0.1 * height)))
        faces.append(SyntheticFace(pixels, alpha, center, sway, side, 2.4 * number))
    return faces


def _cut_out(
    name: str, face: tuple[int, int, int]
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Return a face with hair and chin, float32 [n, n], and an oval that fades at its border."""
    gray = load_image(PORTRAITS / name).gray
    left, top, side = face
    more = round(side * (CUTOUT_SIDES - 1) / 2)
    around = np.pad(gray, more, mode="edge")  # px (left, top) is now `more` further
    pixels = around[top : top + side + 2 * more, left : left + side + 2 * more]
    n = pixels.shape[0]
    at = (np.arange(n, dtype=np.float32) + 0.5) / n * 2 - 1
    radius = np.hypot(at[None, :] / 0.8, at[:, None] / 0.97)
    alpha = np.clip((1 - radius) / 0.12, 0, 1)
    return pixels.astype(np.float32), alpha.astype(np.float32)


def _paste(gray: Gray, face: SyntheticFace, box: Box) -> None:
    """Draw a face so that it fills the box, clipped to the frame."""
    x, y, side, _ = box
    n = round(side * CUTOUT_SIDES)
    left, top = x - (n - side) // 2, y - (n - side) // 2
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
