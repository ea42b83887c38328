"""Decides when to search for new faces: when something has changed beside the known ones."""

from __future__ import annotations

from collections.abc import Sequence

import cv2

from mien.boxes import Square, square_iou
from mien.detection.ssd import Scan
from mien.pyramid import Gray, Pyramid

SCAN_S = 0.1  # s between two searches, where anything has changed
LEAST = -1.5  # log odds from which a place is worth a look
REFRESH_S = 2.0  # s after which a frame is searched even where nothing has changed
# Sides around a known face's centre in which change is its own doing: hair, shoulders and what they
# uncover. Somebody new beside it changes cells farther off as well, or waits for the refresh.
OWN_ACROSS, OWN_UP, OWN_DOWN = 1.0, 0.95, 1.2
# A place with a known face of less than 1 / BESIDE its side in its middle is that face with its
# surroundings; with one elsewhere it is a face of which the other is a part, or beside the other.
BESIDE, CENTRAL = 1.5, 0.2
# Log odds and intersection over union from which a place is where a known face was seen.
SEEN, SEEN_AT = 0.0, 0.25


class Search:
    """Finds places where there may be a face that nobody follows yet."""

    def __init__(self) -> None:
        self._scan = Scan()
        self._size = (0, 0)  # px, of the frames
        self._due = True  # whether anything has changed since the last search
        self._time = -1e9  # s, of that

    def step(
        self,
        pyramid: Pyramid,
        changed: Gray,
        known: Sequence[Square],
        time: float,
        effort: float = 1.0,
        whole: bool = False,
        doubt: bool = False,
    ) -> list[tuple[Square, float]] | None:
        """Return all places and their log odds, the likeliest first; None where none was due.

        `changed` is which cells of the thumbnail, uint8 [h, w], differ from before, `known` the
        faces that are followed, `time` the frame's (s); with less `effort` (0 to 1) searches are
        rarer. `whole`: the scene is new, search at once. `doubt`: search though nothing changes.
        """
        size = pyramid.width, pyramid.height
        waited = time - self._time
        self._due |= whole or doubt or size != self._size or _beside(changed, known, pyramid)
        self._size = size
        asked = self._due and not 0 <= waited < SCAN_S / effort - 1e-3
        if not (asked or whole or not 0 <= waited < REFRESH_S):
            return None
        self._due, self._time = False, time
        return self._scan.places(pyramid, LEAST)


def _beside(changed: Gray, known: Sequence[Square], pyramid: Pyramid) -> bool:
    """Whether anything has changed that no known face has done."""
    if known:
        changed = changed.copy()
        cell = 1 << (len(pyramid.levels) - 1)
        for x, y, side in known:
            left, right = x - OWN_ACROSS * side, x + OWN_ACROSS * side
            top, bottom = y - OWN_UP * side, y + OWN_DOWN * side
            left, top, right, bottom = (
                max(0, int(edge / cell + 0.5)) for edge in (left, top, right, bottom)
            )
            changed[top:bottom, left:right] = 0
    return bool(cv2.countNonZero(changed))


def same(known: Square, found: Sequence[tuple[Square, float]]) -> Square | None:
    """Return where a search saw a known face, None where it did not."""
    place, odds = max(found, key=lambda one: square_iou(one[0], known), default=(known, SEEN - 1))
    return place if odds >= SEEN and square_iou(place, known) > SEEN_AT else None


def on(place: Square, known: Square) -> bool:
    """Whether a place is on a known face; a much smaller one off its middle is in front of it."""
    reach = 0.5 * max(place[2], known[2])
    if place[2] >= BESIDE * known[2]:
        reach = CENTRAL * place[2]
    return abs(place[0] - known[0]) < reach and abs(place[1] - known[1]) < reach
