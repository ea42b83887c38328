"""Cuts places out of made scenes, with a face and without: what the network behind the cascades
learns from.

Most places without a face are easy, and a network soon knows them. So the places at which an
earlier network errs are looked for and added (Sung & Poggio, "Example-Based Learning for
View-Based Human Face Detection", 1998, call it bootstrapping).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt
from mien.boxes import Square, square_iou
from mien.detection.haar import load_cascade
from mien.detection.verifier import SIZE, neighbours
from mien.pyramid import Pyramid

from mien_convert.face_networks.backdrop import HEIGHT, WIDTH
from mien_convert.face_networks.cast import LARGEST
from mien_convert.face_networks.scenes import SceneFrame

Views = npt.NDArray[np.uint8]  # [n, SIZE, SIZE]
Floats = npt.NDArray[np.float32]

CASCADES = tuple(f"haarcascade_frontalface_{name}.xml" for name in ("alt", "alt2", "default"))
ON, OFF = 0.6, 0.25  # intersection over union from which a place is on a face, and up to which not
BADLY_ON = 0.35  # up to which it is not even where a network says so
WHOLE = 0.75  # share of a face that must be visible
SMALLEST = 30.0  # px, side of a place
JITTER, SIZED = 0.05, 0.08  # standard deviations: sides, and of the logarithm of the size
OF_FACE, NEAR, ANYWHERE = 3, 6, 10  # places: of each face, near it, and in each frame
TRIED, KEPT, ERROR = 260, 8, -2.5  # places tried with a network, kept at most, and their log odds
CLIMBED = 24  # of those tried, how many climb


# A network: the log odds, float32 [n], that views show a face.
Odds = Callable[[Views], Floats]


@dataclass
class Places:
    """Views with whether each shows a face."""

    views: list[npt.NDArray[np.uint8]]
    faces: list[bool]

    def add(self, pyramid: Pyramid, place: Square, face: bool) -> None:
        """Cut a place out of a frame."""
        self.views.append(pyramid.view(*place, SIZE))
        self.faces.append(face)


def gather(frames: Iterable[SceneFrame], seed: int, network: Odds | None = None) -> Places:
    """Return the places of frames; with a network also those at which it errs."""
    rng = np.random.default_rng([seed, 3])
    cascades = [load_cascade(name) for name in CASCADES]
    places = Places([], [])
    for number, frame in enumerate(frames):
        pyramid = Pyramid(frame.gray)
        faces = [_place(truth.box) for truth in frame.truths]
        for face, truth in zip(faces, frame.truths, strict=True):
            if truth.visible >= WHOLE:
                for place in _jittered(face, rng):
                    places.add(pyramid, place, True)
            for _ in range(NEAR):
                place = _beside(face, rng, 1.1, 1.2)
                if place[2] >= SMALLEST and _best(place, faces) < OFF:
                    places.add(pyramid, place, False)
        for _ in range(ANYWHERE):
            place = _anywhere(rng)
            if _best(place, faces) < OFF:
                places.add(pyramid, place, False)
        if network is not None:
            for place in _errors(pyramid, faces, network, rng):
                places.add(pyramid, place, False)
        # They take most of the time.
        if number % 2 == 0:
            for place in _windows(pyramid, cascades[number // 2 % len(cascades)]):
                best = _best(place, faces)
                if best < OFF or best > ON:
                    places.add(pyramid, place, best > ON)
    return places


def _place(box: tuple[float, float, float, float]) -> Square:
    return box[0] + box[2] / 2, box[1] + box[3] / 2, box[2]


def _best(place: Square, faces: Iterable[Square]) -> float:
    """Return the greatest intersection over union with a face."""
    return max((square_iou(place, face) for face in faces), default=0.0)


def _jittered(face: Square, rng: np.random.Generator) -> list[Square]:
    """Return places off by what a cascade's boxes are."""
    x, y, side = face
    found = []
    for _ in range(OF_FACE):
        across, down = rng.normal(0, JITTER, 2) * side
        place = (x + across, y + down, side * math.exp(rng.normal(0, SIZED)))
        if _best(place, [face]) > ON:
            found.append(place)
    return found


def _beside(face: Square, rng: np.random.Generator, sized: float, reach: float) -> Square:
    """Return a place near a face: parts of it, it with its surroundings, what stands beside it."""
    x, y, side = face
    far, angle = rng.uniform(0, reach) * side, rng.uniform(0, 2 * math.pi)
    times = math.exp(rng.uniform(-sized, sized))
    return x + far * math.cos(angle), y + far * math.sin(angle), side * times


def _anywhere(rng: np.random.Generator) -> Square:
    side = math.exp(rng.uniform(math.log(SMALLEST), math.log(1.1 * LARGEST)))
    return rng.uniform(0, WIDTH), rng.uniform(0, HEIGHT), side


def _errors(
    pyramid: Pyramid, faces: list[Square], network: Odds, rng: np.random.Generator
) -> list[Square]:
    """Return the places without a face that a network takes most for one.

    From the likeliest of many it climbs to where it is surest, as it does on the device.
    """
    tried: list[Square] = []
    for _ in range(TRIED):
        beside = bool(faces) and rng.random() < 0.6
        face = faces[int(rng.integers(len(faces)))] if beside else (0.0, 0.0, 0.0)
        x, y, side = _beside(face, rng, 1.2, 1.3) if beside else _anywhere(rng)
        inside = 0 <= x < WIDTH and 0 <= y < HEIGHT and side >= SMALLEST
        if inside and _best((x, y, side), faces) < OFF:
            tried.append((x, y, side))
    if not tried:
        return []
    odds = network(np.stack([pyramid.view(*place, SIZE) for place in tried]))
    chosen = [tried[i] for i in np.argsort(-odds)[:CLIMBED]]
    found = [(float(odds[i]), tried[i]) for i in np.argsort(-odds)[:KEPT]]
    around = [other for place in chosen for other in neighbours(place)]
    odds = network(np.stack([pyramid.view(*place, SIZE) for place in around]))
    found += [
        (float(value), place)
        for value, place in zip(odds, around, strict=True)
        if _best(place, faces) < BADLY_ON
    ]
    found.sort(key=lambda pair: -pair[0])
    return [place for value, place in found[:KEPT] if value > ERROR]


def _windows(pyramid: Pyramid, cascade: cv2.CascadeClassifier) -> list[Square]:
    """Return what a cascade takes for faces in the frame at half size, plain and mirrored."""
    half = pyramid.levels[1]
    width = half.shape[1]
    found = []
    for mirrored in (False, True):
        picture = cv2.flip(half, 1) if mirrored else half
        boxes = cascade.detectMultiScale(picture, 1.15, 1, minSize=(20, 20), maxSize=(130, 130))
        for x, y, side, _ in boxes:
            left = width - x - side if mirrored else x
            found.append((2.0 * left + side, 2.0 * y + side, 2.0 * side))
    return found
