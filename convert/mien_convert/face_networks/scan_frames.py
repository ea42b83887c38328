"""Makes the frames from which the network that searches a whole frame learns.

They are the scorer's scenes (convert/mien_convert/face_networks/scenes.py) with faces that the
scorer never shows together,
some of them on more of their own border, and with decoys: patches of the scenery and faces taken
apart or upside down, set in just as the faces are, so that it is not the seam that is learnt.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt
from mien.boxes import Square
from mien.detection.ssd import ACROSS, DOWN

from mien_convert.face_networks.backdrop import HEIGHT, WIDTH, Gray, grounds
from mien_convert.face_networks.cast import Person
from mien_convert.face_networks.people import Pictures, people
from mien_convert.face_networks.scenes import STILLS, stills

PEOPLE_A_SCENE = 7  # at most, as many as are drawn
DECOYS = 0.35  # share of those who are none
# Shares of the faces that get a repeated border, and of those that are set into a patch.
BORDERED, FRAMED = 0.3, 0.45
MOST_BORDER = 0.3  # sides of the picture
PATCHES = 0.5  # share of the decoys that are cut out of scenery
LEAST, MOST = 0.36, 1.1  # px of the network's input for one of the frame
USUAL = 0.5  # share of the frames that are just fitted into it
AROUND = 127  # gray level of what is beyond the frame

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Frame:
    """A picture as the network is shown it, and the faces in it."""

    gray: Gray  # [DOWN, ACROSS]
    faces: Floats  # [n, 4]: centre x, y and side in px, and the share that is visible


def frames(
    faces: Pictures, number: int, seed: int, scenery: Sequence[Gray] = ()
) -> Iterator[Frame]:
    """Yield so many frames with faces from pictures, uint8 [n, s, s]."""
    rng = np.random.default_rng([seed, 6])
    for gray, shown in populated(faces, number, seed, scenery, rng):
        rows = [(*place, visible) for place, visible in shown]
        yield _fitted(gray, np.array(rows, np.float32).reshape(-1, 4), rng)


def populated(
    faces: Pictures, number: int, seed: int, scenery: Sequence[Gray], rng: np.random.Generator
) -> Iterator[tuple[Gray, list[tuple[Square, float]]]]:
    """Yield so many scenes of people among decoys, and each face's place and visible share."""
    cast, known = _cast(faces, number, seed, scenery, rng)
    for frame in stills(cast, number, seed, scenery):
        yield (
            frame.gray,
            [
                ((x + w / 2, y + w / 2, w), truth.visible)
                for truth in frame.truths
                if known[truth.face % len(cast)]
                for x, y, w, _ in [truth.box]
            ],
        )


def _cast(
    faces: Pictures, number: int, seed: int, scenery: Sequence[Gray], rng: np.random.Generator
) -> tuple[list[Person], list[bool]]:
    """Return people and decoys, and who of them is no decoy."""
    drawn = people(faces, (number // STILLS + 1) * PEOPLE_A_SCENE, seed)
    ground = grounds(rng)
    cast, known = [], []
    for person in drawn:
        decoy = rng.random() < DECOYS
        if decoy and rng.random() < PATCHES:
            cast.append(Person(piece([*scenery, *ground], rng)))
        elif decoy:
            cast.append(Person(spoilt(person.picture, rng)))
        elif (kind := rng.random()) < FRAMED:
            cast.append(_framed(person, piece([*scenery, *ground], rng), rng))
        elif kind < FRAMED + BORDERED:
            cast.append(_bordered(person, rng))
        else:
            cast.append(person)
        known.append(not decoy)
    return cast, known


def piece(pictures: Sequence[Gray], rng: np.random.Generator) -> Gray:
    """Return a square cut out of one of the pictures."""
    picture = pictures[int(rng.integers(len(pictures)))]
    most = min(picture.shape)
    side = round(math.exp(rng.uniform(math.log(min(32, most)), math.log(most))))
    top = int(rng.integers(picture.shape[0] - side + 1))
    left = int(rng.integers(picture.shape[1] - side + 1))
    part = picture[top : top + side, left : left + side]
    return np.asarray(cv2.resize(part, (96, 96), interpolation=cv2.INTER_AREA), np.uint8)


def spoilt(face: Gray, rng: np.random.Generator) -> Gray:
    """Return a face upside down, or its quarters in another order."""
    if rng.random() < 0.4:
        return np.ascontiguousarray(face[::-1])
    half = face.shape[0] // 2
    parts = [face[:half, :half], face[:half, -half:], face[-half:, :half], face[-half:, -half:]]
    order = [(3, 2, 1, 0), (1, 0, 3, 2), (2, 3, 0, 1), (2, 0, 3, 1)][int(rng.integers(4))]
    a, b, c, d = (parts[k] for k in order)
    return np.asarray(np.block([[a, b], [c, d]]), np.uint8)


def _bordered(person: Person, rng: np.random.Generator) -> Person:
    """Return a person whose picture stands on some of its own repeated border."""
    size = person.picture.shape[0]
    border = round(rng.uniform(0, MOST_BORDER) * size)
    whole = size + 2 * border
    x, y, side = person.face
    picture = np.asarray(np.pad(person.picture, border, mode="edge"), np.uint8)
    place = ((x * size + border) / whole, (y * size + border) / whole, side * size / whole)
    return Person(picture, place)


def _framed(person: Person, patch: Gray, rng: np.random.Generator) -> Person:
    """Return a person of whom an oval is seen, in the middle of a square patch.

    So that the face itself is learnt: neither its hair and background, which end where FER-2013's
    pictures do, nor the seam around them.
    """
    size = patch.shape[0]
    side = rng.uniform(0.55, 0.95) * size  # of the whole picture
    scale = side / person.picture.shape[0]
    x, y, width = person.face
    left = size / 2 - x * side + rng.normal(0, 0.05) * size
    top = size / 2 - y * side + rng.normal(0, 0.05) * size
    matrix = np.array([[scale, 0, left], [0, scale, top]])
    face = cv2.warpAffine(
        person.picture, matrix, (size, size), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
    )
    centre = (left + x * side, top + y * side)
    radii = rng.uniform(0.45, 0.65, 2) * width * side
    down, across = np.mgrid[:size, :size] + 0.5
    # Straight where the picture itself ends, oval elsewhere.
    beyond = np.hypot((across - centre[0]) / radii[0], (down - centre[1]) / radii[1])
    inside = np.minimum.reduce([across - left, left + side - across, down - top, top + side - down])
    soft = rng.uniform(0.05, 0.3)
    weight = np.clip((1 - beyond) / soft + 0.5, 0, 1) * np.clip(inside / 2, 0, 1)
    mixed = patch + weight * (face.astype(np.float32) - patch)
    place = (centre[0] / size, centre[1] / size, width * side / size)
    return Person(np.clip(mixed, 0, 255).astype(np.uint8), place)


def _fitted(gray: Gray, faces: Floats, rng: np.random.Generator) -> Frame:
    """Return a frame fitted into the network's input, or a nearer or farther view of it."""
    scale = ACROSS / WIDTH
    left = top = 0.0
    if rng.random() >= USUAL:
        scale = math.exp(rng.uniform(math.log(LEAST), math.log(MOST)))
        # Of a smaller frame all is shown, at any place of the input.
        right, bottom = WIDTH - ACROSS / scale, HEIGHT - DOWN / scale
        left = rng.uniform(min(0.0, right), max(0.0, right))
        top = rng.uniform(min(0.0, bottom), max(0.0, bottom))
    width, height = max(1, round(WIDTH * scale)), max(1, round(HEIGHT * scale))
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    small = cv2.resize(gray, (width, height), interpolation=method)
    across, down = round(left * scale), round(top * scale)
    out = np.full((DOWN, ACROSS), AROUND, np.uint8)
    x, y = max(0, -across), max(0, -down)
    part = small[max(0, down) :, max(0, across) :][: DOWN - y, : ACROSS - x]
    out[y : y + part.shape[0], x : x + part.shape[1]] = part
    moved = faces * np.array([scale, scale, scale, 1], np.float32)
    moved[:, :2] -= np.array([across, down], np.float32)
    return Frame(out, _cut_off(moved))


def _cut_off(faces: Floats) -> Floats:
    """Return faces with what is beyond the picture counted as not visible."""
    x, y, side = faces[:, 0], faces[:, 1], faces[:, 2]
    across = np.clip(np.minimum(x + side / 2, ACROSS) - np.maximum(x - side / 2, 0), 0, None)
    down = np.clip(np.minimum(y + side / 2, DOWN) - np.maximum(y - side / 2, 0), 0, None)
    kept = faces.copy()
    kept[:, 3] = np.minimum(kept[:, 3], across * down / np.maximum(side, 1) ** 2)
    return kept[kept[:, 3] > 0.02]
