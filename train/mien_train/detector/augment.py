"""Augmented training views: mosaics, scales, turns, occlusion, light, blur, noise and JPEG.

A view is what the detector's input could look like, made from one photograph or from four.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np

from mien_train.detector.dataset import Photograph

SMALLEST_FACE = 10.0  # pixels, root of the area; smaller faces are ignored
LARGEST_FACE = 1.1  # of a tile's height
VISIBLE_SHARE = 0.6  # of a face's box inside the view; a face cut further is ignored
FLIPPED_LANDMARKS = [1, 0, 2, 4, 3]


@dataclass(frozen=True)
class Augmentation:
    """How views differ from the photographs; probabilities unless another unit is given."""

    mosaic: float = 0.6
    scale: tuple[float, float] = (0.25, 2.0)  # times the size at which a photograph fits the view
    by_face: float = 0.6  # the scale brings one face to a size drawn evenly from the logarithms
    background: float = 0.25  # a photograph is one without faces
    hard: float = 0.6  # of these, one that fooled a detector
    turn: float = 0.3  # by up to `degrees`, otherwise by up to a sixth of them
    degrees: float = 30.0
    occlusion: float = 0.2  # a face is hidden by a third to a half
    light: float = 0.7  # gamma, contrast and brightness
    dark: float = 0.12  # down to a fifth of the light, before the noise
    blur: float = 0.2
    soft: float = 0.3  # magnified, each side from 0.4 to 0.9 of the view's pixels
    noise: float = 0.35
    jpeg: float = 0.35


@dataclass(frozen=True)
class View:
    """A picture of the detector's input size and the faces in it."""

    image: np.ndarray  # uint8 [height, width]
    faces: np.ndarray  # float32 [n, 4]: left, top, width, height
    landmarks: np.ndarray  # float32 [n, 5, 2], NaN where not known
    ignored: np.ndarray  # float32 [m, 4]


class Augmenter:
    """Makes views of ``height`` x ``width`` pixels; the generator alone decides which."""

    def __init__(
        self,
        photographs: list[Photograph],
        height: int,
        width: int,
        augmentation: Augmentation | None = None,
    ) -> None:
        self.height, self.width = height, width
        self.augmentation = augmentation or Augmentation()
        self.faces = [p for p in photographs if len(p.faces)]
        self.hard = [p for p in photographs if p.hard]
        self.empty = [p for p in photographs if not len(p.faces) and not p.hard]

    def view(self, rng: np.random.Generator) -> View:
        """One view."""
        image = np.zeros((self.height, self.width), "uint8")
        if rng.random() < self.augmentation.mosaic:
            x = int(self.width * rng.uniform(0.3, 0.7))
            y = int(self.height * rng.uniform(0.3, 0.7))
            tiles = [(0, 0, x, y), (x, 0, self.width, y)]
            tiles += [(0, y, x, self.height), (x, y, self.width, self.height)]
        else:
            tiles = [(0, 0, self.width, self.height)]
        parts = []
        for left, top, right, bottom in tiles:
            part = self._tile(rng, bottom - top, right - left)
            image[top:bottom, left:right] = part.image
            offset = np.array([left, top], "float32")
            shift = np.concatenate([offset, [0, 0]]).astype("float32")
            parts.append((part.faces + shift, part.landmarks + offset, part.ignored + shift))
        faces, landmarks, ignored = (np.concatenate(x) for x in zip(*parts, strict=True))
        for face in faces:
            if rng.random() < self.augmentation.occlusion:
                _occlude(rng, image, face)
        return View(degrade(rng, image, self.augmentation), faces, landmarks, ignored)

    def _draw(self, rng: np.random.Generator) -> Photograph:
        if rng.random() >= self.augmentation.background:
            return self.faces[rng.integers(len(self.faces))]
        return self._background(rng) or self.faces[rng.integers(len(self.faces))]

    def _background(self, rng: np.random.Generator) -> Photograph | None:
        pools = (
            [self.hard, self.empty]
            if rng.random() < self.augmentation.hard
            else [
                self.empty,
                self.hard,
            ]
        )
        pool = pools[0] or pools[1]
        return pool[rng.integers(len(pool))] if pool else None

    def _tile(self, rng: np.random.Generator, height: int, width: int) -> View:
        """A photograph scaled, turned, perhaps flipped, and cut to ``height`` x ``width``."""
        photograph = self._draw(rng)
        rows, columns = photograph.image.shape
        fit = min(self.width / columns, self.height / rows)
        low, high = self.augmentation.scale
        if len(photograph.faces) and rng.random() < self.augmentation.by_face:
            face = photograph.faces[rng.integers(len(photograph.faces))]
            largest = math.log(LARGEST_FACE * height)
            size = math.exp(rng.uniform(math.log(SMALLEST_FACE), largest))
            scale = float(np.clip(size / math.sqrt(face[2] * face[3]), low * fit, high * fit))
            anchor = face[:2] + face[2:] / 2
            # A face that fills the tile stays near its middle.
            reach = 0.35 * max(0.2, 1 - size / height)
            target = np.array([width, height]) * (0.5 + rng.uniform(-reach, reach, 2))
        else:
            scale = fit * math.exp(rng.uniform(math.log(0.5), math.log(1.6)))
            anchor = np.array([columns, rows]) * rng.uniform(0, 1, 2)
            # At the edge of the picture the edge of the view, so that little of it is empty.
            target = np.array([width, height]) * (anchor / [columns, rows])
        turn = self.augmentation.degrees * (1 if rng.random() < self.augmentation.turn else 1 / 6)
        angle = math.radians(rng.uniform(-turn, turn))
        flip = -1.0 if rng.random() < 0.5 else 1.0
        matrix = scale * np.array(
            [
                [flip * math.cos(angle), -math.sin(angle)],
                [flip * math.sin(angle), math.cos(angle)],
            ]
        )
        offset = target - matrix @ anchor
        image = _warp(photograph.image, matrix, offset, scale, self._canvas(rng, height, width))
        return _moved(photograph, image, matrix, offset, scale, angle, flip < 0)

    def _canvas(self, rng: np.random.Generator, height: int, width: int) -> np.ndarray:
        """What is seen beyond the photograph's edges: one gray, or a picture without faces."""
        background = self._background(rng) if rng.random() < 0.8 else None
        if background is None:
            gray = rng.integers(256) if rng.random() < 0.5 else 0
            return np.full((height, width), gray, "uint8")
        return np.ascontiguousarray(
            cv2.resize(background.image, (width, height), interpolation=cv2.INTER_AREA)
        )


def _warp(
    picture: np.ndarray, matrix: np.ndarray, offset: np.ndarray, scale: float, canvas: np.ndarray
) -> np.ndarray:
    """``picture`` drawn onto ``canvas``; shrunk as the device does it, by areas."""
    if scale < 0.8:
        rows, columns = picture.shape
        small = (max(1, round(columns * scale)), max(1, round(rows * scale)))
        shrink = np.array([small[0] / columns, small[1] / rows])
        picture = cv2.resize(picture, small, interpolation=cv2.INTER_AREA)
        # Pixel centers: x' + .5 = (x + .5) * shrink.
        matrix = matrix / shrink
    half = np.array([0.5, 0.5])
    affine = np.column_stack([matrix, matrix @ half + offset - half])
    cv2.warpAffine(
        picture,
        affine,
        (canvas.shape[1], canvas.shape[0]),
        dst=canvas,
        flags=cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_TRANSPARENT,
    )
    return canvas


def _moved(
    photograph: Photograph,
    image: np.ndarray,
    matrix: np.ndarray,
    offset: np.ndarray,
    scale: float,
    angle: float,
    flipped: bool,
) -> View:
    height, width = image.shape
    faces = turn_boxes(photograph.faces, matrix, offset, scale, angle)
    clipped, share = clip_boxes(faces, height, width)
    sizes = np.sqrt(clipped[:, 2] * clipped[:, 3])
    counts = (share >= VISIBLE_SHARE) & (sizes >= SMALLEST_FACE)
    landmarks = photograph.landmarks[:, FLIPPED_LANDMARKS] if flipped else photograph.landmarks
    landmarks = landmarks @ matrix.T + offset
    others = turn_boxes(photograph.ignored, matrix, offset, scale, angle)
    others = clip_boxes(others, height, width)[0]
    ignored = np.concatenate([clipped[~counts], others])
    ignored = ignored[(ignored[:, 2] > 0) & (ignored[:, 3] > 0)]
    return View(image, clipped[counts], landmarks[counts].astype("float32"), ignored)


def turn_boxes(
    boxes: np.ndarray, matrix: np.ndarray, offset: np.ndarray, scale: float, angle: float
) -> np.ndarray:
    """Upright boxes around the turned ellipses that fill ``boxes``, both float [n, 4].

    The corners of a box hold no face: their hull would grow by a third at 30 degrees.
    """
    half = boxes[:, 2:] / 2
    centers = (boxes[:, :2] + half) @ matrix.T + offset
    c, s = math.cos(angle), math.sin(angle)
    extent = scale * np.stack(
        [np.hypot(half[:, 0] * c, half[:, 1] * s), np.hypot(half[:, 0] * s, half[:, 1] * c)], axis=1
    )
    return np.concatenate([centers - extent, 2 * extent], axis=1).astype("float32")


def clip_boxes(boxes: np.ndarray, height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """``boxes`` cut to the picture, and the share of the area that is left, float32 [n]."""
    low = np.clip(boxes[:, :2], 0, [width, height])
    high = np.clip(boxes[:, :2] + boxes[:, 2:], 0, [width, height])
    inside = np.concatenate([low, high - low], axis=1).astype("float32")
    area = np.maximum(boxes[:, 2] * boxes[:, 3], 1e-6)
    return inside, (inside[:, 2] * inside[:, 3] / area).astype("float32")


def _occlude(rng: np.random.Generator, image: np.ndarray, face: np.ndarray) -> None:
    """Hide a third to a half of ``face`` from one side, by one gray or a piece of the picture."""
    x, y, w, h = (int(v) for v in face)
    share = rng.uniform(0.3, 0.5)
    side = rng.integers(4)
    if side < 2:
        part = max(1, int(w * share))
        x, w = (x, part) if side == 0 else (x + w - part, part)
    else:
        part = max(1, int(h * share))
        y, h = (y, part) if side == 2 else (y + h - part, part)
    rows, columns = image[y : y + h, x : x + w].shape
    if not rows or not columns:
        return
    if rng.random() < 0.5:
        cover = np.full((rows, columns), rng.integers(256), "float32")
    else:
        top = rng.integers(image.shape[0] - rows + 1)
        left = rng.integers(image.shape[1] - columns + 1)
        cover = image[top : top + rows, left : left + columns].astype("float32")
    cover += rng.normal(0, 4, cover.shape)
    image[y : y + h, x : x + w] = np.clip(cover, 0, 255).astype("uint8")


def degrade(rng: np.random.Generator, image: np.ndarray, augmentation: Augmentation) -> np.ndarray:
    """``image``, uint8 [h, w], as a poor camera would have it: soft, dark, noisy, compressed."""
    if rng.random() < augmentation.soft:
        rows, columns = image.shape
        size = (int(columns * rng.uniform(0.4, 0.9)), int(rows * rng.uniform(0.4, 0.9)))
        small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
        image = np.asarray(cv2.resize(small, (columns, rows), interpolation=cv2.INTER_LINEAR))
    if rng.random() < augmentation.blur:
        if rng.random() < 0.5:
            image = cv2.GaussianBlur(image, (0, 0), rng.uniform(0.4, 1.4))
        else:
            image = cv2.filter2D(image, -1, _motion(rng))
    curve = np.arange(256, dtype="float32") / 255
    if rng.random() < augmentation.light:
        curve = curve ** math.exp(rng.uniform(-0.5, 0.5))
        curve = (curve - 0.5) * rng.uniform(0.6, 1.4) + 0.5 + rng.uniform(-0.15, 0.15)
    if rng.random() < augmentation.dark:
        curve = curve * rng.uniform(0.2, 0.6)
    image = cv2.LUT(image, np.clip(curve * 255, 0, 255).astype("uint8"))
    if rng.random() < augmentation.noise:
        grain = np.zeros(image.shape[:2], np.int16)
        cv2.setRNGSeed(int(rng.integers(2**31)))
        cv2.randn(grain, np.zeros(1), np.full(1, rng.uniform(1, 10)))
        image = np.clip(image + grain, 0, 255).astype("uint8")
    if rng.random() < augmentation.jpeg:
        quality = int(rng.integers(25, 90))
        data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
        image = np.asarray(cv2.imdecode(data, cv2.IMREAD_GRAYSCALE))
    return image


def _motion(rng: np.random.Generator) -> np.ndarray:
    """Kernel of a movement by 3 to 7 pixels in one direction."""
    length = int(rng.choice([3, 5, 7]))
    kernel = np.zeros((length, length), "float32")
    angle = rng.uniform(0, math.pi)
    reach = (length - 1) / 2
    for step in np.linspace(-reach, reach, 4 * length):
        kernel[round(reach + step * math.sin(angle)), round(reach + step * math.cos(angle))] = 1.0
    return np.asarray(kernel / kernel.sum())
