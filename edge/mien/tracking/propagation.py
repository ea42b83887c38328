"""Follows a face into the next frame by its own picture, which costs little."""

from __future__ import annotations

from mien.detection.verifier import Faceness
from mien.pyramid import Gray, Pyramid
from mien.tracking.reid import BY_ITSELF, own_likeness
from mien.tracking.template import FAR, match
from mien.tracking.track import ALIKE, NO, Track

HIDDEN_S = 1.0  # s that a hidden face is looked for where its way leads
HALT_S = 1.0  # s in which a face that is out of sight is thought to slow down


def follow(
    track: Track, pyramid: Pyramid, changed: Gray, network: Faceness, step: float, time: float
) -> None:
    """Move a track to where its own picture is, or on along its way.

    `changed` is which cells of the thumbnail, uint8 [h, w], differ from the frame before; `step`
    are the seconds since then, `time` is the frame's (s).
    """
    before = 1.0 if track.hit else track.likeness
    track.hit, track.likeness = None, 0.0
    track.still = False
    track.before = track.x, track.y, track.seen
    if track.id and time - track.seen > HIDDEN_S:
        return
    if track.id and time - track.seen <= step and not _moves(track, changed, pyramid):
        track.across = track.down = 0.0
        track.likeness = before
        track.still = True
        track.seen = time
        return
    track.x += track.across * step
    track.y += track.down * step
    track.before = track.x, track.y, track.seen
    found = match(pyramid, track.own, *track.place)
    track.likeness = found.likeness
    if track.id and not track.alike:
        found = match(pyramid, track.own, *track.place, FAR)
        track.likeness = found.likeness
    there = found.x, found.y, track.side
    unsure = track.id > 0 and (not track.shown or (track.misses > 0 and track.likeness < ALIKE))
    if unsure and track.alike and own_likeness(track, there, pyramid) < BY_ITSELF:
        track.likeness = 0.0
    if track.id and track.alike and (track.misses or track.likeness < ALIKE):
        track.faceness = network.at(pyramid, *there)
        if track.faceness < NO:
            track.likeness = 0.0
    if not track.alike:
        track.across *= max(0.0, 1 - step / HALT_S)
        track.down *= max(0.0, 1 - step / HALT_S)
    else:
        track.seen = time
        track.move(found.x - track.x, found.y - track.y, 1.0, step)


def _moves(track: Track, changed: Gray, pyramid: Pyramid) -> bool:
    """Whether anything has changed in a face's box."""
    cell = 1 << (len(pyramid.levels) - 1)
    half = track.side / 2
    left, right = max(0, int((track.x - half) / cell)), int((track.x + half) / cell) + 1
    top, bottom = max(0, int((track.y - half) / cell)), int((track.y + half) / cell) + 1
    return bool(changed[top:bottom, left:right].any())
