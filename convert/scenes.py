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

Gray = npt.NDArray[np.uint8]
Owner = npt.NDArray[np.int32]  # whose face each cell shows, -1 for none
Floats = npt.NDArray[np.float32]

WIDTH, HEIGHT, FPS = 640, 480, 30.0  # px, px, frames per second
SMALLEST, LARGEST = 48, 240  # px, side of a pasted picture
SHOT = 400  # frames between two cuts to another scene with other people
MARGIN = 24  # px of scene around the picture, for the camera to move in
COARSE = 4  # px, side of the cells in which what can be seen is counted
PANS = (0.0, 12.0, 4.0)  # px: a camera on a tripod, one that pans, one in a hand, in turns
PICTURED = 0.75  # share of the scenes that are pictures, where there are any
LARGEST_PART = 2.5  # times that a picture is enlarged beyond what fills a scene, at most
STILLS = 6  # single frames of a scene
NOISE = 2.0  # gray levels, standard deviation of the sensor's noise


@dataclass(frozen=True)
class Person:
    """A picture of a face, and where in it the face is."""

    picture: Gray  # [s, s]
    face: tuple[float, float, float] = (0.5, 0.5, 1.0)  # centre x, y and side, in sides


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


@dataclass(frozen=True)
class Actor:
    """One face and its way through a shot; times are in frames of the shot."""

    face: int  # identity
    person: Person
    start: tuple[float, float]  # px, centre at frame 0
    speed: tuple[float, float]  # px per frame
    sway: tuple[float, float]  # px, amplitude of the movement around the straight way
    phase: tuple[float, float, float, float]  # radians: across, down, size, roll
    period: tuple[float, float, float, float]  # frames, of the same four
    side: float  # px, of the picture, on average
    breath: float  # 0 to 1, share of the side by which it grows and shrinks
    roll: float  # degrees, amplitude
    gain: float  # factor on its brightness

    def at(self, frame: int) -> tuple[float, float, float, float]:
        """Return centre x and y (px), side (px) and roll (degrees) at a frame of the shot."""
        waves = [
            math.sin(phase + 2 * math.pi * frame / period)
            for phase, period in zip(self.phase, self.period, strict=True)
        ]
        side = self.side * (1 + self.breath * waves[2])
        return (
            self.start[0] + self.speed[0] * frame + self.sway[0] * waves[0],
            self.start[1] + self.speed[1] * frame + self.sway[1] * waves[1],
            min(max(side, SMALLEST), LARGEST),
            self.roll * waves[3],
        )


def sequence(people: Sequence[Person], frames: int, seed: int) -> Iterator[SceneFrame]:
    """Yield the mixed sequence: a new scene every 400 frames, people who stay, pass and cross.

    They are taken in order, each once as far as there are enough.
    """
    rng = np.random.default_rng([seed, 1])
    taken = 0
    for shot in range(-(-frames // SHOT)):
        actors = _cast(people, taken, rng)
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
        actors = _cast(people, taken, rng)
        taken += len(actors)
        moments = rng.integers(0, SHOT, min(STILLS, number - start))
        pan = PANS[start // STILLS % 3]
        scene = None
        if pictures and rng.random() < PICTURED:
            scene = _part(pictures[int(rng.integers(len(pictures)))], rng)
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


def _part(picture: Gray, rng: np.random.Generator) -> Floats:
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


def _cast(people: Sequence[Person], taken: int, rng: np.random.Generator) -> list[Actor]:
    """Return the people of a shot: some stay, one pair crosses, others pass through."""
    staying = int(rng.integers(1, 4))
    actors = [
        _stayer(people[(taken + i) % len(people)], taken + i, i, staying, rng)
        for i in range(staying)
    ]
    height = float(rng.uniform(0.35, 0.65)) * HEIGHT
    start = float(rng.uniform(20, 120))
    for direction in (1, -1):  # these two meet in the middle
        number = taken + len(actors)
        person = people[number % len(people)]
        actors.append(_passer(person, number, direction, start, height, rng))
    for _ in range(int(rng.integers(1, 4))):
        number = taken + len(actors)
        person = people[number % len(people)]
        begin = float(rng.uniform(-60, SHOT - 120))
        down = float(rng.uniform(0.2, 0.8)) * HEIGHT
        actors.append(_passer(person, number, 1 if rng.random() < 0.5 else -1, begin, down, rng))
    return actors


def _stayer(person: Person, number: int, slot: int, slots: int, rng: np.random.Generator) -> Actor:
    """Return somebody who stays in one of so many upright strips of the picture."""
    strip = WIDTH / slots
    largest = min(LARGEST, strip * 0.85)
    side = float(np.exp(rng.uniform(np.log(SMALLEST * 1.25), np.log(largest / 1.25))))
    free = max(4.0, (strip - side * 1.25) / 2)
    return Actor(
        number,
        person,
        ((slot + 0.5) * strip, HEIGHT * float(rng.uniform(0.4, 0.6))),
        (0.0, 0.0),
        (
            free * float(rng.uniform(0.6, 1.0)),
            (HEIGHT * 0.4 - side / 2) * float(rng.uniform(0.3, 0.9)),
        ),
        _phases(rng),
        _periods(rng, 90, 260),
        side,
        float(rng.uniform(0.05, 0.2)),
        float(rng.uniform(0, 7)),
        float(rng.uniform(0.7, 1.15)),
    )


def _passer(
    person: Person,
    number: int,
    direction: int,
    begin: float,
    height: float,
    rng: np.random.Generator,
) -> Actor:
    """Return somebody who walks from one side to the other and leaves, from a frame on."""
    side = float(np.exp(rng.uniform(np.log(SMALLEST * 1.1), np.log(LARGEST / 1.3))))
    speed = float(rng.uniform(2.5, 6.5)) * direction
    edge = -side / 2 if direction > 0 else WIDTH + side / 2
    return Actor(
        number,
        person,
        (edge - speed * begin, height),
        (speed, 0.0),
        (0.0, float(rng.uniform(2, 10))),
        _phases(rng),
        _periods(rng, 40, 120),
        side,
        float(rng.uniform(0.0, 0.1)),
        float(rng.uniform(0, 5)),
        float(rng.uniform(0.7, 1.15)),
    )


def _phases(rng: np.random.Generator) -> tuple[float, float, float, float]:
    a, b, c, d = (float(v) for v in rng.uniform(0, 2 * math.pi, 4))
    return a, b, c, d


def _periods(
    rng: np.random.Generator, low: float, high: float
) -> tuple[float, float, float, float]:
    a, b, c, d = (float(v) for v in rng.uniform(low, high, 4))
    return a, b, c, d


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
