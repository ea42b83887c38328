"""Makes sequences of moving faces whose place and identity are known, to score the engine on.

Faces (for the score: FER-2013's training pictures) are set into textured scenes and move on smooth
paths: some stay, some pass through and leave, some cross others. Every frame comes with where each
face is and how much of it can be seen. The same arguments give the same bytes.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np
import numpy.typing as npt

from mien_convert.face_networks.backdrop import (
    HEIGHT,
    MARGIN,
    WIDTH,
    Floats,
    Gray,
    background,
    part_of,
)
from mien_convert.face_networks.cast import SHOT, Actor, Person, cast

Owner = npt.NDArray[np.int32]  # whose face each cell shows, -1 for none

FPS = 30.0  # frames per second
COARSE = 4  # px, side of the cells in which what can be seen is counted
PANS = (0.0, 12.0, 4.0)  # px: a camera on a tripod, one that pans, one in a hand, in turns
PICTURED = 0.75  # share of the scenes that are pictures, where there are any
STILLS = 6  # single frames of a scene
NOISE = 2.0  # gray levels, standard deviation of the sensor's noise


@dataclass(frozen=True)
class Truth:
    """A face that is at least partly in the picture."""

    face: int  # its identity; one that left and comes back is another
    box: tuple[float, float, float, float]  # x, y, width, height, px, as a cascade draws it
    visible: float  # 0 to 1, the share of the box that is in the picture and in front


@dataclass(frozen=True)
class SceneFrame:
    """One made frame."""

    gray: Gray  # [H, W]
    truths: tuple[Truth, ...]


def sequence(people: Sequence[Person], frames: int, seed: int) -> Iterator[SceneFrame]:
    """Yield the mixed sequence: a new scene every 400 frames, people who stay, pass and cross.

    They are taken in order, each once as far as there are enough.
    """
    rng = np.random.default_rng([seed, 1])
    taken = 0
    for shot in range(-(-frames // SHOT)):
        actors = cast(people, taken, rng)
        taken += len(actors)
        count = min(SHOT, frames - shot * SHOT)
        yield from render(actors, range(count), rng, pan=PANS[shot % 3])


def stills(
    people: Sequence[Person], number: int, seed: int, pictures: Sequence[Gray] = ()
) -> Iterator[SceneFrame]:
    """Yield so many single frames, six of each scene, with the same people as `sequence` has.

    Where there are `pictures`, uint8 [h, w] each, most scenes are a part of one of them.
    """
    rng = np.random.default_rng([seed, 2])
    taken = 0
    for start in range(0, number, STILLS):
        actors = cast(people, taken, rng)
        taken += len(actors)
        moments = rng.integers(0, SHOT, min(STILLS, number - start))
        pan = PANS[start // STILLS % 3]
        scene = None
        if pictures and rng.random() < PICTURED:
            scene = part_of(pictures[int(rng.integers(len(pictures)))], rng)
        yield from render(actors, sorted(map(int, moments)), rng, pan, scene)


def render(
    actors: Sequence[Actor],
    moments: Iterable[int],
    rng: np.random.Generator,
    pan: float,
    scene: Floats | None = None,
) -> Iterator[SceneFrame]:
    """Yield frames of one shot, by their numbers; `pan` is how far the camera moves, px."""
    scene = background(rng) if scene is None else scene
    owner = np.empty((HEIGHT // COARSE, WIDTH // COARSE), np.int32)
    noise = rng.normal(0, NOISE, (HEIGHT + 64, WIDTH + 64)).astype(np.float32)
    turn = rng.uniform(0, 2 * math.pi, 2)
    bodies = [_body(rng) for _ in actors]
    for frame in moments:
        shift = (
            pan * math.sin(turn[0] + frame / 40),
            pan / 2 * math.sin(turn[1] + frame / 29),
        )
        canvas = _shifted(scene, shift)
        places = [actor.at(frame) for actor in actors]
        # The nearer, the larger: painted last.
        order = sorted(range(len(actors)), key=lambda i: places[i][2])
        owner.fill(-1)
        for i in order:
            _paste_body(canvas, owner, bodies[i], places[i])
            _paste(canvas, owner, i, actors[i], places[i])
        light = 1 + 0.04 * math.sin(frame / 70 + turn[0])
        top, left = (int(v) for v in rng.integers(0, 64, 2))
        canvas *= light
        canvas += noise[top : top + HEIGHT, left : left + WIDTH]
        gray = np.clip(canvas, 0, 255).astype(np.uint8)
        yield SceneFrame(gray, _truths(actors, places, order, owner))


def _shifted(scene: Floats, shift: tuple[float, float]) -> Floats:
    matrix = np.array([[1, 0, MARGIN + shift[0]], [0, 1, MARGIN + shift[1]]], np.float64)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return np.asarray(cv2.warpAffine(scene, matrix, (WIDTH, HEIGHT), flags=flags), np.float32)


def _body(rng: np.random.Generator) -> Floats:
    """Return neck and shoulders, float32 [96, 192] with a weight, [..., 2]: tone, weight."""
    grid = rng.normal(0, 18, (12, 24)).astype(np.float32)
    tone = cv2.resize(grid, (192, 96), interpolation=cv2.INTER_CUBIC) + float(rng.uniform(40, 200))
    weight = np.zeros((96, 192), np.float32)
    cv2.ellipse(weight, (96, 96), (90, 72), 0, 180, 360, 1.0, -1)
    cv2.rectangle(weight, (76, 4), (116, 60), 1.0, -1)
    return np.dstack([tone, cv2.GaussianBlur(weight, (0, 0), 2.0)]).astype(np.float32)


def _paste_body(
    canvas: Floats, owner: Owner, body: Floats, place: tuple[float, float, float, float]
) -> None:
    x, y, side, _ = place
    centre, scale = (x, y + 0.95 * side), side * 2.2 / 192
    _blend(canvas, owner, -1, body[..., 0], body[..., 1], centre, scale, 0.0)


def _paste(
    canvas: Floats, owner: Owner, mark: int, actor: Actor, place: tuple[float, float, float, float]
) -> None:
    x, y, side, roll = place
    size = actor.person.picture.shape[0]
    tone = actor.person.picture * np.float32(actor.gain)
    weight = _mask(size)
    _blend(canvas, owner, mark, tone, weight, (x, y), side / size, roll)


def _blend(
    canvas: Floats,
    owner: Owner,
    mark: int,
    tone: Floats,
    weight: Floats,
    centre: tuple[float, float],
    scale: float,
    roll: float,
) -> None:
    """Set a picture with a weight per pixel into the canvas, and mark whose it is."""
    height, width = tone.shape
    reach = 0.75 * scale * max(height, width) + 2
    left, right = max(0, int(centre[0] - reach)), min(WIDTH, int(centre[0] + reach) + 1)
    top, bottom = max(0, int(centre[1] - reach)), min(HEIGHT, int(centre[1] + reach) + 1)
    left, top = left - left % COARSE, top - top % COARSE
    if left >= right or top >= bottom:
        return
    matrix = cv2.getRotationMatrix2D((width / 2 - 0.5, height / 2 - 0.5), roll, scale)
    matrix[0, 2] += centre[0] - left - width / 2
    matrix[1, 2] += centre[1] - top - height / 2
    size = (right - left, bottom - top)
    flags = cv2.INTER_CUBIC if scale > 1 else cv2.INTER_LINEAR
    border = cv2.BORDER_REPLICATE
    tone = np.asarray(cv2.warpAffine(tone, matrix, size, flags=flags, borderMode=border))
    weight = np.asarray(cv2.warpAffine(weight, matrix, size))
    part = canvas[top:bottom, left:right]
    part += weight * (tone - part)
    coarse = weight[::COARSE, ::COARSE] > 0.5
    down, across = coarse.shape
    rows, columns = top // COARSE, left // COARSE
    marks = owner[rows : rows + down, columns : columns + across]
    marks[coarse[: marks.shape[0], : marks.shape[1]]] = mark


@cache
def _mask(size: int) -> Floats:
    """Return the weight of a pasted picture: a rounded square with a soft edge."""
    along = np.linspace(-1, 1, size, dtype=np.float32)
    radius = (np.abs(along)[None] ** 5 + np.abs(along)[:, None] ** 5) ** 0.2
    return np.asarray(np.clip((1.0 - radius) / 0.1, 0, 1), np.float32)


def _truths(
    actors: Sequence[Actor],
    places: Sequence[tuple[float, float, float, float]],
    order: Sequence[int],
    owner: Owner,
) -> tuple[Truth, ...]:
    """Return the faces that are at least partly in the picture, the nearest last."""
    truths = []
    for i in order:
        box = _face_box(actors[i].person.face, places[i])
        left, top = (max(0, round(v / COARSE)) for v in box[:2])
        right, bottom = (max(0, round((box[k] + box[k + 2]) / COARSE)) for k in (0, 1))
        seen = int(np.count_nonzero(owner[top:bottom, left:right] == i))
        if seen:
            whole = _inside(actors[i].person.face) * places[i][2] ** 2 / COARSE**2
            truths.append(Truth(actors[i].face, box, min(1.0, seen / whole)))
    return tuple(truths)


def _face_box(
    face: tuple[float, float, float], place: tuple[float, float, float, float]
) -> tuple[float, float, float, float]:
    x, y, side, roll = place
    right, down, turn = (face[0] - 0.5) * side, (face[1] - 0.5) * side, math.radians(roll)
    x += right * math.cos(turn) + down * math.sin(turn)
    y += down * math.cos(turn) - right * math.sin(turn)
    width = face[2] * side
    return x - width / 2, y - width / 2, width, width


@cache
def _inside(face: tuple[float, float, float]) -> float:
    """Return how much of a face's box its picture fills, in the picture's side squared."""
    mask = _mask(100) > 0.5
    x, y, half = face[0] * 100, face[1] * 100, face[2] * 50
    rows = slice(max(0, round(y - half)), max(0, round(y + half)))
    columns = slice(max(0, round(x - half)), max(0, round(x + half)))
    return float(np.count_nonzero(mask[rows, columns])) / 1e4
