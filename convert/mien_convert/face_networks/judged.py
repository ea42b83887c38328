"""Cuts places out of made scenes and of photographs, as the scan proposes them: what the network
that judges them learns from.

Places without a face are all that the scan proposes with little: where a network is shown
everything that another takes for a face, it learns what that one cannot tell.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from mien.boxes import Square, square_iou
from mien.detection.ssd import Scan, distinct
from mien.detection.still import proposed
from mien.detection.still_verifier import surroundings
from mien.pyramid import Pyramid

from mien_convert.face_networks.backdrop import Gray, grounds
from mien_convert.face_networks.cast import LARGEST, SMALLEST
from mien_convert.face_networks.pasted import Placed, paste, scenes
from mien_convert.face_networks.people import Pictures, locate
from mien_convert.face_networks.places import Odds, Places
from mien_convert.face_networks.scan_frames import DECOYS, PATCHES, piece, populated, spoilt
from mien_convert.face_networks.scenes import NOISE

ON, OFF = 0.5, 0.3  # intersection over union from which a place is on a face, and up to which not
WHOLE = 0.7  # share of a face that must be visible
OF_FACE, ALONE = 4, 2  # places of each, and of each that is pasted by itself
LOOKED_AT = 64  # places of a picture at which a network may err
JITTER, SIZED = 0.06, 0.1  # standard deviations: sides, and of the logarithm of the size
WIDER = 1.5  # times these where no scan says how far off its places are
SURE_KEPT = 0.25  # share of the places without a face of which a network is sure: kept
ERROR = -3.0  # log odds from which a place without a face is one at which a network errs
LONGEST, SHORTEST = 800, 280  # px, sides to which photographs are brought


@dataclass(frozen=True)
class Shown:
    """A picture of 640x480 px or another size, and what is known to be in it."""

    gray: Gray
    faces: tuple[tuple[Square, float], ...]  # with the share of each that is visible


def pasted(faces: Pictures, seed: int, scenery: Sequence[Gray] = ()) -> Iterator[Shown]:
    """Yield scenes as convert.pasted makes them, each picture once, and decoys pasted as well."""
    rng = np.random.default_rng([seed, 8])
    ground = grounds(rng)
    side = faces.shape[1]
    pictures, known = [], []
    for face in faces:
        pictures.append(face)
        known.append(True)
        if rng.random() < DECOYS:
            if rng.random() < PATCHES:
                decoy = piece([*scenery, *ground], rng)
                decoy = np.asarray(cv2.resize(decoy, (side, side)), np.uint8)
            else:
                decoy = spoilt(faces[int(rng.integers(len(faces)))], rng)
            pictures.append(decoy)
            known.append(False)
    for scene in scenes(np.stack(pictures), seed):
        found = []
        for place in scene.placed:
            if known[place.face]:
                x, y, width = locate(pictures[place.face])
                at = place.left + x * place.side, place.top + y * place.side
                found.append(((*at, width * place.side), 1.0))
        yield Shown(scene.gray, tuple(found))


def living(
    faces: Pictures, number: int, seed: int, scenery: Sequence[Gray] = ()
) -> Iterator[Shown]:
    """Yield so many scenes of people with shoulders who hide each other, among decoys."""
    rng = np.random.default_rng([seed, 9])
    for gray, shown in populated(faces, number, seed, scenery, rng):
        yield Shown(gray, tuple(shown))


def photographs(pictures: Sequence[Gray], seed: int) -> Iterator[Shown]:
    """Yield each picture once, at some size, as it is or mirrored, turned or upside down."""
    rng = np.random.default_rng([seed, 10])
    for picture in pictures:
        longest = math.exp(rng.uniform(math.log(SHORTEST), math.log(LONGEST)))
        scale = min(1.5, longest / max(picture.shape))
        flags = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
        gray = np.asarray(cv2.resize(picture, None, fx=scale, fy=scale, interpolation=flags))
        turns = 0 if rng.random() < 0.5 else int(rng.integers(1, 4))
        gray = np.rot90(gray, turns)
        if rng.random() < 0.5:
            gray = gray[:, ::-1]
        yield Shown(np.ascontiguousarray(gray), ())


def alone(faces: Pictures, seed: int) -> Iterator[Shown]:
    """Yield each picture once, by itself in the middle of a piece of a made scene.

    No scan looks at them, and the scenes are few: so all faces can be shown at little cost.
    """
    rng = np.random.default_rng([seed, 13])
    behind = grounds(rng)
    for face in faces:
        ground = behind[int(rng.integers(len(behind)))]
        side = round(math.exp(rng.uniform(math.log(SMALLEST), math.log(LARGEST))))
        whole = min(2 * side, *ground.shape)
        top, left = (int(rng.integers(length - whole + 1)) for length in ground.shape)
        canvas = ground[top : top + whole, left : left + whole].astype(np.float32)
        off = (whole - side) // 2
        paste(canvas, face, Placed(0, off, off, side))
        canvas += rng.normal(0, NOISE, canvas.shape).astype(np.float32)
        x, y, width = locate(face)
        place = (off + x * side, off + y * side, width * side)
        yield Shown(np.clip(canvas, 0, 255).astype(np.uint8), ((place, 1.0),))


def faces_of(shown: Iterable[Shown], seed: int) -> Places:
    """Return places on the faces of pictures, off by chance: no scan proposes them."""
    rng = np.random.default_rng([seed, 14])
    places = Places([], [])
    for one in shown:
        pyramid = Pyramid(one.gray)
        for face, _ in one.faces:
            for place in _off(face, ALONE, WIDER, rng):
                places.views.append(surroundings(pyramid, place))
                places.faces.append(True)
    return places


def gather(shown: Iterable[Shown], seed: int, most: int, network: Odds | None = None) -> Places:
    """Return places of pictures: of each face some, and at most so many others of each picture.

    Those are the likeliest to the scan; with a network those at which it errs most.
    """
    rng = np.random.default_rng([seed, 11])
    scan, places = Scan(), Places([], [])

    def add(pyramid: Pyramid, place: Square, face: bool) -> None:
        places.views.append(surroundings(pyramid, place))
        places.faces.append(face)

    for one in shown:
        pyramid = Pyramid(one.gray)
        found = proposed(scan, one.gray)
        for face, visible in one.faces:
            if visible >= WHOLE:
                for place in _of_face(face, found, rng):
                    add(pyramid, place, True)
        others = [
            place
            for place, _ in distinct(found, LOOKED_AT)
            if all(square_iou(place, face) < OFF for face, _ in one.faces)
        ]
        for place in others[:most] if network is None else _errors(pyramid, others, network, most):
            add(pyramid, place, False)
    return places


def doubtful(places: Places, network: Odds, seed: int) -> Places:
    """Return the places without those that a network is sure are no faces, but a share of them."""
    odds = network(np.stack(places.views))
    kept = np.random.default_rng([seed, 12]).random(len(odds)) < SURE_KEPT
    kept |= np.array(places.faces) | (odds > ERROR)
    return Places(
        [places.views[i] for i in np.flatnonzero(kept)],
        [places.faces[i] for i in np.flatnonzero(kept)],
    )


def joined(*parts: Places) -> Places:
    """Return the places of all parts."""
    return Places(
        [view for part in parts for view in part.views],
        [face for part in parts for face in part.faces],
    )


def _of_face(
    face: Square, found: Sequence[tuple[Square, float]], rng: np.random.Generator
) -> list[Square]:
    """Return places on a face: half of them as the scan proposes it, the others off by chance."""
    proposals = [place for place, _ in found if square_iou(place, face) > ON]
    chosen = [proposals[i] for i in rng.permutation(len(proposals))[: OF_FACE // 2]]
    return chosen + _off(face, OF_FACE - len(chosen), 1.0, rng)


def _off(face: Square, number: int, times: float, rng: np.random.Generator) -> list[Square]:
    """Return so many places on a face, off by chance and so many times as far as usual."""
    x, y, side = face
    chosen: list[Square] = []
    while len(chosen) < number:
        across, down = times * rng.normal(0, JITTER, 2) * side
        place = (x + across, y + down, side * math.exp(times * rng.normal(0, SIZED)))
        if square_iou(place, face) > ON:
            chosen.append(place)
    return chosen


def _errors(pyramid: Pyramid, others: Sequence[Square], network: Odds, most: int) -> list[Square]:
    """Return the places that a network takes most for a face, at most so many."""
    if not others:
        return []
    odds = network(np.stack([surroundings(pyramid, place) for place in others]))
    return [others[i] for i in np.argsort(-odds)[:most] if odds[i] > ERROR]
