"""Looks for one face near where it is expected: by the cascade, and by how it looked before."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import cv2
import numpy as np

from mien.detection.haar import load_cascade
from mien.pyramid import Gray, Pyramid

# The surest first. Each is blind to faces that the others see well, and each sees faces where none
# are: what they say is added up (edge/mien/tracking/track.py).
CASCADES = (
    "haarcascade_frontalface_alt.xml",
    "haarcascade_frontalface_alt2.xml",
    "haarcascade_frontalface_default.xml",
)
# How a new place is looked at: by which of them, and whether mirrored.
VIEWS = tuple((k, mirrored) for k in range(len(CASCADES)) for mirrored in (False, True))

PATCH = 16  # px, side of a face's own picture: its middle six tenths
INNER = 0.6
# What tells people apart is a larger part, finer: of pairs of pictures some seconds apart 5 % of
# two people's look alike where 1 % of one person's do not; 10 % by the small picture in one size.
PORTRAIT = 20  # px
MOST_OF = 0.75  # of the box's side
SIZES = (0.88, 1.0, 1.14)  # times the box's, which is a cascade's and off by some per cent
OFF = 0.16  # sides, likewise
RICH = 0.4  # share of a face's contrast under which a place does not show it: a wall, a shadow
REACH = 0.3  # sides of the face that it may be off its expected place
FAR = 0.7  # and where it is not found so near
# Eyes, brows and mouth make the rows of a face differ. Of 1,064 FER-2013 faces, dark, bright and
# washed out ones among them, one lies under this share of its brightness (0.2 % under 0.049); of
# the places without a face that the cascade takes for one, lamps and blank walls, 85 % do.
FEATURES = 0.04


@dataclass(frozen=True)
class Zoom:
    """How a place is searched by the cascade."""

    face: int  # px that the expected face is wide in the view: coarse is fast, fine finds more
    margin: float  # sides of the face beyond it on each side
    scale: float  # step between two sizes
    smallest: float  # of the sizes, in sides of the expected face
    largest: float


# Recall of faces at places that are known to 5 %: 0.64 in 0.44 ms, and 0.69 in 0.93 ms.
FOLLOW = Zoom(40, 0.3, 1.15, 0.7, 1.4)
CONFIRM = Zoom(44, 0.3, 1.1, 0.46, 1.5)


@dataclass(frozen=True)
class Hit:
    """A face as the cascade sees it."""

    x: float  # px of the frame, centre
    y: float
    side: float  # px
    windows: int  # how many of the cascade's windows agreed on it


@dataclass(frozen=True)
class Match:
    """The place near the expected one that looks most as the face did before."""

    x: float  # px of the frame, centre
    y: float
    likeness: float  # normalised correlation, at most 1


class Looker:
    """The cascades for all faces."""

    def __init__(self) -> None:
        self._cascades = tuple(load_cascade(name) for name in CASCADES)

    def hits(
        self,
        pyramid: Pyramid,
        place: tuple[float, float, float],
        zoom: Zoom,
        mirrored: bool = False,
        cascade: int = 0,
    ) -> list[Hit]:
        """Return the faces around a place, where at least two windows of a cascade agree.

        A cascade is not symmetric: what it sees in a `mirrored` view too is hardly chance.
        """
        x, y, side = place
        span = side * (1 + 2 * zoom.margin)
        size = round(zoom.face * (1 + 2 * zoom.margin))
        smallest, largest = round(zoom.face * zoom.smallest), round(zoom.face * zoom.largest)
        view = pyramid.view(x, y, span, size)
        boxes, windows = self._cascades[cascade].detectMultiScale2(
            cv2.flip(view, 1) if mirrored else view,
            scaleFactor=zoom.scale,
            minNeighbors=1,
            minSize=(smallest, smallest),
            maxSize=(largest, largest),
        )
        factor = span / size
        left, top = x - span / 2, y - span / 2
        found = []
        for (bx, by, w, _), count in zip(boxes, windows, strict=True):
            middle = bx + w / 2
            across = size - middle if mirrored else middle
            found.append(
                Hit(left + factor * across, top + factor * (by + w / 2), factor * w, int(count))
            )
        return found


def surest(hits: Iterable[Hit]) -> Hit | None:
    """Return the hit on which the most windows agreed, None where there is none."""
    return max(hits, key=lambda hit: hit.windows, default=None)


def patch(pyramid: Pyramid, x: float, y: float, side: float) -> Gray:
    """Return a face's own picture, uint8 [PATCH, PATCH]."""
    return pyramid.view(x, y, INNER * side, PATCH)


def has_features(own: Gray) -> bool:
    """Whether there is as much to see in a face's own picture as in that of a face."""
    steps = cv2.absdiff(own[1:], own[:-1])
    return cv2.mean(steps)[0] >= FEATURES * cv2.mean(own)[0]


def as_rich(picture: Gray, known: Gray) -> bool:
    """Whether a picture has contrast like another's, to which a correlation is blind."""
    deviation, before = (float(np.std(one)) for one in (picture, known))
    return deviation >= RICH * before


def match(
    pyramid: Pyramid, own: Gray, x: float, y: float, side: float, reach_sides: float = REACH
) -> Match:
    """Return where a face's own picture fits best around a place."""
    pixel = INNER * side / PATCH  # px of the frame per pixel of the picture
    reach = round(reach_sides * side / pixel)
    size = PATCH + 2 * reach
    view = pyramid.view(x, y, size * pixel, size)
    likeness = cv2.matchTemplate(view, own, cv2.TM_CCOEFF_NORMED)
    _, best, _, (column, row) = cv2.minMaxLoc(likeness)
    right = _peak(likeness[row, :], column) - reach
    down = _peak(likeness[:, column], row) - reach
    return Match(x + pixel * right, y + pixel * down, best)


def portrait(pyramid: Pyramid, x: float, y: float, side: float) -> Gray:
    """Return the picture by which a face is known again, uint8 [PORTRAIT, PORTRAIT]."""
    return pyramid.view(x, y, MOST_OF * side, PORTRAIT)


def resemblance(pyramid: Pyramid, known: Gray, x: float, y: float, side: float) -> float:
    """Return how much the face at a place looks like a portrait: normalised correlation, to 1."""
    best = -1.0
    for times in SIZES:
        pixel = MOST_OF * side * times / PORTRAIT  # px of the frame per pixel of the portrait
        size = PORTRAIT + 2 * round(OFF * side / pixel)
        view = pyramid.view(x, y, size * pixel, size)
        best = max(best, cv2.minMaxLoc(cv2.matchTemplate(view, known, cv2.TM_CCOEFF_NORMED))[1])
    return best


def _peak(values: np.ndarray, at: int) -> float:
    """Return the top of the parabola through a maximum and its two neighbours."""
    if not 0 < at < len(values) - 1:
        return float(at)
    before, here, after = (float(v) for v in values[at - 1 : at + 2])
    bend = before - 2 * here + after
    return at + 0.5 * (before - after) / bend if bend < 0 else float(at)
