"""The people of a made scene and their ways through it: some stay, some pass, some cross."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mien_convert.face_networks.backdrop import HEIGHT, WIDTH, Gray

SMALLEST, LARGEST = 48, 240  # px, side of a pasted picture
SHOT = 400  # frames between two cuts to another scene with other people


@dataclass(frozen=True)
class Person:
    """A picture of a face, and where in it the face is."""

    picture: Gray  # [s, s]
    face: tuple[float, float, float] = (0.5, 0.5, 1.0)  # centre x, y and side, in sides


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


def cast(people: Sequence[Person], taken: int, rng: np.random.Generator) -> list[Actor]:
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
