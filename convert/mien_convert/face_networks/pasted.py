"""Sets labelled faces into still scenes of 640x480 px, and finds them as the device does.

FER-2013's faces fill their picture: forehead, ears and chin are cut off, and a cascade wants to see
something around a face. So each picture stands on a quarter of its side of its own repeated border
(as mien.detection.haar does with tight pictures), which fades into the scene. What the detector
then still
does not find is counted, not left out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np
import numpy.typing as npt
from mien.detection.haar import Box, Detector

from mien_convert.face_networks.backdrop import HEIGHT, MARGIN, WIDTH, background
from mien_convert.face_networks.cast import LARGEST, SMALLEST
from mien_convert.face_networks.scenes import NOISE

BORDER = 0.25  # of the picture's side, on each side
MOST = 4  # faces in one scene
TRIES = 30  # places tried for a face before it waits for the next scene
NEAR = 0.35  # of the picture's side: how far the centres of a face and of its box may be apart
ALIKE = 2.0  # factor by which a box may be smaller or larger than the picture

Gray = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Placed:
    """Where a picture stands in a scene."""

    face: int  # which one of the given pictures
    left: int  # px
    top: int  # px
    side: int  # px


@dataclass(frozen=True)
class Scene:
    """A scene and the faces in it."""

    gray: Gray  # [480, 640]
    placed: tuple[Placed, ...]


@dataclass(frozen=True)
class Found:
    """What a detector made of one scene."""

    scene: Scene
    boxes: tuple[Box | None, ...]  # of each placed face; None where it was missed
    false: int  # boxes on no face


def scenes(pictures: Gray, seed: int) -> Iterator[Scene]:
    """Yield scenes until each of the pictures, uint8 [n, s, s], has been in one of them.

    Sides are drawn evenly on a logarithmic scale from 48 to 240 px. The same arguments give the
    same bytes.
    """
    rng = np.random.default_rng([seed, 3])
    waiting = list(range(len(pictures)))
    sides = np.exp(rng.uniform(np.log(SMALLEST), np.log(LARGEST), len(pictures)))
    while waiting:
        placed: list[Placed] = []
        for face in waiting[:MOST]:
            place = _place(face, round(float(sides[face])), placed, rng)
            if place is not None:
                placed.append(place)
        canvas = background(rng)[MARGIN : MARGIN + HEIGHT, MARGIN : MARGIN + WIDTH].copy()
        for place in placed:
            paste(canvas, pictures[place.face], place)
        canvas += rng.normal(0, NOISE, canvas.shape).astype(np.float32)
        yield Scene(np.clip(canvas, 0, 255).astype(np.uint8), tuple(placed))
        there = {place.face for place in placed}
        waiting = [face for face in waiting if face not in there]


def paste(canvas: Floats, picture: Gray, place: Placed) -> None:
    """Set a picture, uint8 [s, s], into a canvas, float32 [H, W]; it must be inside as a whole."""
    size = picture.shape[0]
    border = round(BORDER * size)
    tone = np.pad(picture, border, mode="edge")
    side = round(place.side * (1 + 2 * BORDER))
    method = cv2.INTER_CUBIC if side > tone.shape[0] else cv2.INTER_AREA
    tone = np.clip(cv2.resize(tone.astype(np.float32), (side, side), interpolation=method), 0, 255)
    off = (side - place.side) // 2
    left, top = place.left - off, place.top - off
    rows = slice(max(0, top), min(canvas.shape[0], top + side))
    columns = slice(max(0, left), min(canvas.shape[1], left + side))
    inside = (
        slice(rows.start - top, rows.stop - top),
        slice(columns.start - left, columns.stop - left),
    )
    part = canvas[rows, columns]
    part += _weight(side)[inside] * (tone[inside] - part)


@cache
def _weight(side: int) -> Floats:
    """Return how much of the picture is seen: all of it, its repeated border less and less."""
    along = np.abs(np.linspace(-1, 1, side, dtype=np.float32)) * (1 + 2 * BORDER)
    radius = (along[None] ** 4 + along[:, None] ** 4) ** 0.25  # a square with round corners
    return np.asarray(np.clip((1 + 2 * BORDER - radius) / (2 * BORDER), 0, 1), np.float32)


def _place(face: int, side: int, others: list[Placed], rng: np.random.Generator) -> Placed | None:
    """Return a free place for a picture, None where none was found."""
    for _ in range(TRIES):
        left = int(rng.integers(0, WIDTH - side + 1))
        top = int(rng.integers(0, HEIGHT - side + 1))
        if all(
            max(abs(2 * (left - o.left) + side - o.side), abs(2 * (top - o.top) + side - o.side))
            > (side + o.side) * (1 + 2 * BORDER)
            for o in others
        ):
            return Placed(face, left, top, side)
    return None


def find(
    pictures: Gray, seed: int, detector: Detector, done: Callable[[int], object] = lambda n: None
) -> Iterator[Found]:
    """Yield every scene with the boxes of its faces; `done` is told how many faces it held.

    A box belongs to a face if it is the nearest to it, their centres are at most 0.35 of its side
    apart and their sizes within a factor of two.
    """
    for scene in scenes(pictures, seed):
        boxes = detector.detect(scene.gray)
        chosen = tuple(_box_of(place, boxes) for place in scene.placed)
        kept = {box for box in chosen if box is not None}
        yield Found(scene, chosen, len(boxes) - len(kept))
        done(len(scene.placed))


def _box_of(place: Placed, boxes: list[Box]) -> Box | None:
    def apart(box: Box) -> float:
        across = box[0] + box[2] / 2 - place.left - place.side / 2
        down = box[1] + box[3] / 2 - place.top - place.side / 2
        return max(abs(across), abs(down)) / place.side

    fitting = [
        box for box in boxes if apart(box) < NEAR and 1 / ALIKE < max(box[2:]) / place.side < ALIKE
    ]
    return min(fitting, key=apart, default=None)


def offsets(found: Found) -> list[tuple[float, float, float]]:
    """Return where the boxes lie against their pictures: centre right, centre down and side.

    All in sides of the picture: (0, 0, 1) is a box that is just the picture.
    """
    rows = []
    for place, box in zip(found.scene.placed, found.boxes, strict=True):
        if box is not None:
            right = (box[0] + box[2] / 2 - place.left) / place.side - 0.5
            down = (box[1] + box[3] / 2 - place.top) / place.side - 0.5
            rows.append((right, down, max(box[2:]) / place.side))
    return rows
