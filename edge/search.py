"""Decides when and where to search for new faces, a slice of the work in each frame.

A search of the whole frame costs ten frames' time. So it is cut into slices, each one scale (or
a few cheap ones) at one level of the pyramid, which take turns; and a slice looks only at what has
changed since its last turn, outside of the faces already known. What has not changed is searched
again after some seconds all the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from edge.detect import load_cascade
from edge.pyramid import Gray, Pyramid

# They take turns, for each is blind to faces that the other sees well: with "default" alone, which
# is the faster, four made sequences had a recall of 0.686, with both in turns of 0.710. Their many
# false windows do not count here: each has to be confirmed.
CASCADES = ("haarcascade_frontalface_default.xml", "haarcascade_frontalface_alt.xml")
WINDOW = 24  # px, the smallest face that both know
STEP = 1.118  # between two scales; of the level that is dearest two turns take every other one
OCTAVE = 6  # powers of it to a level's last scale
BASE_PX = 140_000  # px, the largest level that is searched: 320x240 of 640x480
WINDOWS_S = 240_000.0  # positions searched in a second at most: the whole of 640x480 five times
ROUND_S = 0.2  # s between two turns of the same scale
LEAST_WINDOWS = 500.0  # for which it is not worth to begin
REFRESH_S = 2.0  # s after which what has not changed is due all the same
# Sides around a known face's centre in which change is its own doing: hair, shoulders and what they
# uncover. Somebody new beside it changes cells farther off as well, or waits for the refresh.
OWN_ACROSS, OWN_UP, OWN_DOWN = 1.0, 0.95, 1.2
# A window with a known face of less than 1 / BESIDE its side in its middle is that face with its
# surroundings; with one elsewhere it is a face of which the other is a part, or beside the other.
BESIDE, CENTRAL = 1.5, 0.2
LIKE_SIZE = 1.6  # ratio of two windows' sides up to which they may be of one face

Place = tuple[float, float, float]  # centre x, centre y, side: px of the frame


@dataclass
class Slice:
    """Two neighbouring scales at one level, searched at once or in turns."""

    level: int  # of the pyramid
    sizes: tuple[int, int]  # px of the level, the windows of its even and its odd turns
    both: bool  # whether each turn takes both
    step: float  # px of the level, between two windows
    turns: int = 0  # begun
    searched: int = -1  # frame at which the last turn that ended began
    began: int = -1  # frame at which the turn that goes on began
    time: float = -1e9  # s, of that frame


class Search:
    """Finds places where there may be a face that nobody follows yet."""

    def __init__(self) -> None:
        self._cascades = tuple(load_cascade(name) for name in CASCADES)
        self._slices: list[Slice] = []
        self._changed: npt.NDArray[np.int32] | None = None  # frame at which a cell last changed
        self._size = (0, 0)  # px, of the frames
        self._latest = 0  # frame at which any cell last changed
        self._frame = 0
        self._at = 0  # the slice whose turn it is
        self._row = 0  # of the thumbnail, from which on something is due in its turn
        self._top = 0  # px of its level, above which its turn is done
        self._budget = 0.0  # windows
        self._refreshed = 0.0  # s, time of the last refresh

    def step(
        self,
        pyramid: Pyramid,
        changed: Gray,
        known: Sequence[Place],
        time: float,
        budget: float,
        whole: bool = False,
    ) -> list[Place]:
        """Search what is due in this frame; `whole`: all of it.

        `changed` is which cells of the thumbnail, uint8 [h, w], differ from before, `known` the
        faces that are followed, `time` the frame's (s), `budget` how many windows more may be
        searched.
        """
        self._mark(pyramid, changed, known, time, whole)
        self._budget = min(self._budget, 0.0) + budget
        found: list[Place] = []
        while self._budget >= LEAST_WINDOWS and self._next_due(time):
            found += self._search(pyramid, time)
        return _distinct(found, known)

    def _mark(
        self,
        pyramid: Pyramid,
        changed: Gray,
        known: Sequence[Place],
        time: float,
        whole: bool,
    ) -> None:
        """Note which cells have changed outside of the known faces."""
        size = (pyramid.width, pyramid.height)
        if self._changed is None or self._size != size:
            self._size = size
            self._changed = np.full(changed.shape, -1, np.int32)
            self._slices = slices(pyramid)
            self._at = self._row = self._top = 0
            self._refreshed = time
        self._frame += 1
        if whole or not 0 <= time - self._refreshed < REFRESH_S:
            self._refreshed = time
            if whole:
                for every in self._slices:
                    every.time = -1e9
            self._changed.fill(self._frame)
            self._latest = self._frame
            return
        outside = changed
        if known:
            outside = changed.copy()
            cell = 1 << (len(pyramid.levels) - 1)
            for x, y, side in known:
                left, right = x - OWN_ACROSS * side, x + OWN_ACROSS * side
                top, bottom = y - OWN_UP * side, y + OWN_DOWN * side
                left, top, right, bottom = (
                    max(0, int(edge / cell + 0.5)) for edge in (left, top, right, bottom)
                )
                outside[top:bottom, left:right] = 0
        if cv2.countNonZero(outside):
            self._changed[outside > 0] = self._frame
            self._latest = self._frame

    def _next_due(self, time: float) -> bool:
        """Go on to the next slice with something due; False where there is none yet."""
        for _ in self._slices:
            now = self._slices[self._at]
            if self._row > 0:
                return True
            if now.searched < self._latest:
                return not 0 <= time - now.time < ROUND_S
            self._advance()
        return False

    def _advance(self) -> None:
        self._at = (self._at + 1) % len(self._slices)
        self._row = self._top = 0

    def _search(self, pyramid: Pyramid, time: float) -> list[Place]:
        """Search what is due of the slice in turn, as far as the budget goes."""
        assert self._changed is not None
        now = self._slices[self._at]
        if self._row == 0:
            now.turns += 1
            now.began, now.time = self._frame, time
        due = (self._changed[self._row :] > now.searched).view(np.uint8)
        x, y, w, h = cv2.boundingRect(due)
        if not w:
            self._end_turn(now)
            return []
        picture = pyramid.levels[now.level]
        cell = 1 << (len(pyramid.levels) - 1 - now.level)  # px of the level
        size = now.sizes[1] if now.both else now.sizes[now.turns // 2 % 2]
        # A face that has moved changes cells at its edge at least: look a window further.
        left = max(0, x * cell - size)
        right = min(picture.shape[1], (x + w) * cell + size)
        top = max(self._top, (self._row + y) * cell - size)
        bottom = min(picture.shape[0], (self._row + y + h) * cell + size)
        across = (2.0 if now.both else 1.0) * max(1.0, (right - left - size) / now.step)
        rows = size + int(max(self._budget, LEAST_WINDOWS) / across * now.step) + 1
        if rows < bottom - top:
            bottom = top + rows
            # The next part begins so that no window falls between the two.
            self._top = bottom - size
            self._row = max(self._row + 1, self._top // cell)
        else:
            self._end_turn(now)
        self._budget -= across * max(1.0, (bottom - top - size) / now.step)
        least = now.sizes[0] if now.both else size
        part = picture[top:bottom, left:right]
        return self._run(part, self._cascades[now.turns % 2], (least, size), left, top, now.level)

    def _end_turn(self, ended: Slice) -> None:
        ended.searched = ended.began
        self._advance()

    def _run(
        self,
        picture: Gray,
        cascade: cv2.CascadeClassifier,
        sizes: tuple[int, int],
        left: int,
        top: int,
        level: int,
    ) -> list[Place]:
        # Single windows, ungrouped: with few scales a true face often has only one.
        least, most = sizes
        windows = cascade.detectMultiScale(
            picture,
            scaleFactor=STEP,
            minNeighbors=0,
            minSize=(least, least),
            maxSize=(most, most),
        )
        factor = float(1 << level)
        return [
            (factor * (left + x + w / 2), factor * (top + y + w / 2), factor * w)
            for x, y, w, _ in (map(int, window) for window in windows)
        ]


def slices(pyramid: Pyramid) -> list[Slice]:
    """Return the slices for frames of this size, large faces first: those are the cheapest."""
    base = next(
        (k for k, level in enumerate(pyramid.levels) if level.size <= BASE_PX),
        len(pyramid.levels) - 1,
    )
    found: list[Slice] = []
    for level in range(base, len(pyramid.levels)):
        shorter = min(pyramid.levels[level].shape)
        last = level + 1 == len(pyramid.levels)
        power = 0
        while round(WINDOW * STEP**power) <= shorter and (last or power <= OCTAVE):
            scale = STEP**power
            between = scale * STEP if WINDOW * scale * STEP <= shorter else scale
            # OpenCV steps by 2 px of the picture that it shrinks by the scale, from 2 on by 1.
            step = scale * (2 if scale <= 2 else 1)
            found.append(
                Slice(level, (round(WINDOW * scale), round(WINDOW * between)), level > base, step)
            )
            power += 2
    return found[::-1]


def _distinct(found: Sequence[Place], known: Sequence[Place]) -> list[Place]:
    """Return the places that are not on a known face, those with the most windows first."""
    groups: list[tuple[Place, int]] = []
    for place in found:
        if any(_on(place, other) for other in known):
            continue
        for i, (mean, count) in enumerate(groups):
            if _same(place, mean) and 1 / LIKE_SIZE < place[2] / mean[2] < LIKE_SIZE:
                x, y, side = (
                    (m * count + p) / (count + 1) for m, p in zip(mean, place, strict=True)
                )
                groups[i] = (x, y, side), count + 1
                break
        else:
            groups.append((place, 1))
    groups.sort(key=lambda group: -group[1])
    return [place for place, _ in groups]


def _on(place: Place, known: Place) -> bool:
    """Whether a place is on a known face; a much smaller one off its middle is in front of it."""
    if place[2] < BESIDE * known[2]:
        return _same(place, known)
    reach = CENTRAL * place[2]
    return abs(place[0] - known[0]) < reach and abs(place[1] - known[1]) < reach


def _same(a: Place, b: Place) -> bool:
    reach = 0.5 * max(a[2], b[2])
    return abs(a[0] - b[0]) < reach and abs(a[1] - b[1]) < reach
