"""Made films of the two bundled portraits on known ways, for the tests of the tracker."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cache

import cv2
import numpy as np
from mien.bench.scenes import PEOPLE, PORTRAITS
from mien.image import load_image
from mien.pyramid import Gray
from mien.tracking.track import Track
from mien.tracking.tracker import Tracker
from mien_convert.face_networks.cast import Actor, Person
from mien_convert.face_networks.scenes import SceneFrame, Truth, render
from mien_convert.face_networks.tally import assign

FPS = 30.0
AROUND = 1.35  # side of the picture in sides of the face


@cache
def person(number: int) -> Person:
    """Hopper (0) or Collins (1)."""
    name, (left, top, side) = PEOPLE[number]
    more = round((AROUND - 1) / 2 * side)
    gray = np.pad(load_image(PORTRAITS / name).gray, more, mode="edge")
    cut = gray[top : top + side + 2 * more, left : left + side + 2 * more]
    small = cv2.resize(cut, (120, 120), interpolation=cv2.INTER_AREA)
    return Person(np.asarray(small, np.uint8), (0.5, 0.5, 1 / AROUND))


def actor(
    number: int,
    start: tuple[float, float],
    speed: tuple[float, float] = (0.0, 0.0),
    side: float = 110.0,
    who: int | None = None,
    sway: float = 4.0,
) -> Actor:
    """A person (`who`, else `number` in turns) on a straight way; px and px per frame."""
    return Actor(
        face=number,
        person=person(number % 2 if who is None else who),
        start=start,
        speed=speed,
        sway=(sway, sway / 2),
        phase=(0.3 + number, 1.0, 2.0, 0.0),
        period=(70.0, 50.0, 90.0, 80.0),
        side=side * AROUND,
        breath=0.02,
        roll=2.0,
        gain=1.0,
    )


def film(actors: list[Actor], frames: int, seed: int = 5, pan: float = 0.0) -> Iterator[SceneFrame]:
    """The frames of one shot."""
    return render(actors, range(frames), np.random.default_rng(seed), pan)


def follow(
    tracker: Tracker, frames: Iterable[SceneFrame], begin: float = 0.0
) -> Iterator[tuple[tuple[Truth, ...], list[Track], dict[int, int]]]:
    """Let a tracker see the frames; yield the truth, the tracks, and the id on each true face."""
    for index, frame in enumerate(frames):
        tracks = tracker.update(frame.gray, begin + index / FPS)
        boxes = [(t.x - t.side / 2, t.y - t.side / 2, t.side, t.side) for t in tracks]
        pairs = assign([truth.box for truth in frame.truths], boxes)
        ids = {frame.truths[k].face: tracks[j].id for k, j in pairs.items()}
        yield frame.truths, tracks, ids


def without(gray: Gray) -> Gray:
    """A wall of texture, for what is in front of a face."""
    return np.asarray(np.random.default_rng(3).integers(90, 110, gray.shape), np.uint8)
