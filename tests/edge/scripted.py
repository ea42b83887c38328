"""Videos of the two bundled portraits on known paths, and a detector that sees what it is told."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np
from mien.bench.scenes import PEOPLE, SyntheticFace, _cut_out, _paste, background
from mien.boxes import center, has_inside, ios, iou
from mien.detection.base import Detection
from mien.detection.tiles import moved
from mien.tracking.track import Track
from mien.tracking.tracker import Tracker

FPS = 30.0
WIDTH, HEIGHT = 640, 480
Path = Callable[[float], tuple[float, float] | None]  # s -> middle, px; None: not there


@dataclass(frozen=True)
class Actor:
    """A person on a path; a later actor stands in front of the earlier ones."""

    person: int  # 0 Hopper, 1 Collins
    path: Path
    height: int = 120
    score: float = 0.9


@cache
def face(person: int) -> SyntheticFace:
    name, box = PEOPLE[person]
    return SyntheticFace(*_cut_out(name, box), (0, 0), (0, 0), 0, box[2] / box[3], 0)


class ScriptedDetector:
    """Returns the detections of the current frame, and remembers what it was shown of it."""

    still_score = 0.5

    def __init__(self) -> None:
        self.found: list[Detection] = []
        self.calls: list[float] = []  # 1 for a whole frame, less for a window

    def detect(self, gray: np.ndarray) -> list[Detection]:
        frame = gray
        while isinstance(frame.base, np.ndarray):
            frame = frame.base
        self.calls.append(gray.size / frame.size)
        top, left = divmod(gray.ctypes.data - frame.ctypes.data, gray.strides[0])
        height, width = gray.shape
        found = [moved(one, -left, -top) for one in self.found]
        return [one for one in found if has_inside((width, height), center(one.box))]


def render(
    actors: Sequence[Actor], seconds: float, fps: float = FPS, seed: int = 5
) -> Iterator[tuple[np.ndarray, list[Detection | None]]]:
    """Yield frames, and of each actor its detection; None where it is hidden or not there."""
    random = np.random.default_rng(seed)
    wall = background(random, WIDTH, HEIGHT)
    noises = [random.normal(0, 2, wall.shape).round().astype(np.int8) for _ in range(4)]
    for index in range(round(seconds * fps)):
        gray = wall.copy()
        found: list[Detection | None] = []
        for actor in actors:
            middle = actor.path(index / fps)
            if middle is None:
                found.append(None)
                continue
            width = round(actor.height * face(actor.person).aspect)
            box = (round(middle[0] - width / 2), round(middle[1] - actor.height / 2), width)
            _paste(gray, face(actor.person), (*box, actor.height))
            found = [one if one and not _hides(one, box, actor) else None for one in found]
            marks = tuple(
                (box[0] + x * width, box[1] + y * actor.height)
                for x, y in ((0.3, 0.4), (0.7, 0.4), (0.5, 0.6), (0.35, 0.8), (0.65, 0.8))
            )
            found.append(Detection((*map(float, box), float(actor.height)), actor.score, marks))
        yield np.asarray(cv2.add(gray, noises[index % 4], dtype=cv2.CV_8U)), found


def _hides(one: Detection, box: tuple[int, int, int], actor: Actor) -> bool:
    return ios(one.box, (*box, actor.height)) > 0.3


def follow(
    tracker: Tracker,
    detector: ScriptedDetector,
    frames: Iterator[tuple[np.ndarray, list[Detection | None]]],
    fps: float = FPS,
    begin: float = 0.0,
) -> Iterator[tuple[float, list[Track], list[int | None]]]:
    """Yield time, tracks, and of each actor the id of the track on it, None where there is none."""
    for index, (gray, found) in enumerate(frames):
        detector.found = [one for one in found if one is not None]
        tracks = tracker.update(gray, begin + index / fps)
        yield (
            begin + index / fps,
            tracks,
            [
                next((t.id for t in tracks if one and iou(t.box, one.box) > 0.5), None)
                for one in found
            ],
        )


def at(x: float, y: float = 240.0) -> Path:
    """Stay, swaying a little."""
    return lambda time: (x + 4 * np.sin(2 * time), y + 3 * np.sin(3 * time))


def walk(start: tuple[float, float], speed: tuple[float, float]) -> Path:
    """Go straight on; px and px/s."""
    return lambda time: (start[0] + speed[0] * time, start[1] + speed[1] * time)
