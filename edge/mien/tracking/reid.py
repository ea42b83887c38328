"""Says who a face is by how it looked before: whether it was lost, and whose place it stands in."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from mien.boxes import Square, square_iou
from mien.pyramid import Pyramid
from mien.tracking.scheduler import BESIDE as LARGER
from mien.tracking.scheduler import CENTRAL
from mien.tracking.template import as_rich, portrait, resemblance
from mien.tracking.track import Track

WITHIN = 0.35  # sides off its middle in which a larger face would hide a smaller one
ONE = 0.45  # intersection over union from which two tracks are on one face
# Share of the smaller that lies in the larger, and up to which ratio of sides it is a part of it:
# of two people one would hide the other.
INSIDE, PART = 0.6, 1.7
DOUBLED = 5  # frames after which one of them is forgotten
BESIDE = 0.02  # from which one may hide a part of the other
LOST_S = 3.0  # s after which a face that is not found again is forgotten
# Resemblance from which a new face is taken for one that was lost: at the same place just now or a
# while ago, near it, or elsewhere or longer ago. Of 218 pairs of pictures of one person 0.7 to
# 3.3 s apart, boxed with a cascade's errors, 1 % are under 0.6 and 3 % under 0.68; of 575 pairs of
# two people 5 % are over the first of these two, 1.5 % over the second.
STAYS, HERE, SAME, SAME_LATER = 0.35, 0.55, 0.6, 0.68
# At the frame's edge people come in one after the other: of whom so much of a side is beyond it.
AT_EDGE, BEYOND = 0.68, 0.05
BY_ITSELF = 0.65  # where the smaller picture, and no cascade, says that it is there
JUST_S = 0.2  # s up to which somebody was there just now
OLDER = 0.1  # of resemblance, for each second that somebody has been gone
WALK = 2.0  # sides that a lost face may have moved in a second
SIZED = 1.33  # ratio of two sides from which the size of one is wrong


def former(new: Track, lost: Iterable[Track], pyramid: Pyramid, time: float) -> Track | None:
    """Return which of those that were lost a new face is, None where it is somebody else."""
    best, most = None, -1.0
    for track in lost:
        if track.young and at_one(track, new) and not 1 / SIZED < new.side / track.side < SIZED:
            return track  # it had the wrong size from the start
        least = _least(track, new, time)
        if time - track.seen > JUST_S and not _whole(new, pyramid):
            least = max(least, AT_EDGE)
        if least <= 1 and track.portrait is not None:
            alike = resemblance(pyramid, track.portrait, *new.place)
            # Of two numbers that somebody was given, the later.
            rated = alike - OLDER * (time - track.seen)
            if alike >= least and rated > most:
                best, most = track, rated
    return best


def _whole(face: Track, pyramid: Pyramid) -> bool:
    """Whether a face is inside the frame, but for a little of its box."""
    reach = (0.5 - BEYOND) * face.side
    right, bottom = pyramid.width - reach, pyramid.height - reach
    return bool(reach <= face.x <= right and reach <= face.y <= bottom)


def may_be(lost: Track, new: Track, pyramid: Pyramid, time: float) -> bool:
    """Whether a new face may yet turn out to be a lost one, when more of it is seen."""
    return _least(lost, new, time) <= 1 and own_likeness(lost, new.place, pyramid) >= STAYS


def _least(lost: Track, new: Track, time: float) -> float:
    """Return how much a new face must look like a lost one to be it; over 1 where it cannot be."""
    gone = time - lost.seen
    if at_one(lost, new):
        return STAYS if gone <= JUST_S else HERE
    ratio = new.side / lost.side
    side = max(new.side, lost.side)
    off = max(abs(new.x - lost.x), abs(new.y - lost.y)) / side
    pace = WALK + max(abs(lost.across), abs(lost.down)) / side
    if not 0.55 < ratio < 1.8 or off > 1.0 + pace * gone:
        return 2.0
    return SAME if off <= 1.0 and gone <= LOST_S else SAME_LATER


def part(tracks: Sequence[Track], pyramid: Pyramid) -> list[Track]:
    """Return the tracks, of two on one face only one as found: the other is out of sight.

    It is the one that was shown before; of two that were, that which looks as it did, for who
    passes behind somebody is not to be taken for him. Where both do they are one, the older.
    """
    kept = list(tracks)
    firm = sorted((t for t in tracks if t.id and t.firm), key=lambda track: track.id)
    doubles = set()
    for i, old in enumerate(firm):
        for new in firm[i + 1 :]:
            if not (old.firm and new.firm):
                continue
            if hidden := _hidden(old, new):
                hidden.give_way()
                continue
            if not on_one(old, new):
                continue
            alike = [own_likeness(track, track.place, pyramid) for track in (old, new)]
            both = min(alike) >= SAME
            if both and old.doubtful and not new.misses:
                new.id, new.shown = old.id, old.shown
                kept.remove(old)
                old.give_way()
                continue
            if old.shown != new.shown:
                behind = new if old.shown else old
            else:
                behind = old if alike[0] < alike[1] and not both else new
            if both:
                doubles.add(behind.id)
            behind.give_way()
    for track in firm:
        track.doubled = track.doubled + 1 if track.id in doubles else 0
    return [track for track in kept if track.doubled < DOUBLED]


def _hidden(a: Track, b: Track) -> Track | None:
    """Return which of two tracks cannot be, for it lies within the other: nearer is larger."""
    small, large = (a, b) if a.side < b.side else (b, a)
    return small if not large.young and within(small, large, WITHIN) else None


def is_back(track: Track, place: Square, pyramid: Pyramid) -> bool:
    """Whether who is not certain to be seen is what was found at a place, not who hides it."""
    certain = track.shown and track.alike
    return certain or own_likeness(track, place, pyramid) >= HERE


def own_likeness(track: Track, place: Square, pyramid: Pyramid) -> float:
    """Return how much what is at a place looks like the face that a track follows."""
    if track.portrait is None or not as_rich(portrait(pyramid, *place), track.portrait):
        return 0.0
    return resemblance(pyramid, track.portrait, *place)


def beside(track: Track, tracks: Iterable[Track]) -> bool:
    """Whether another face may be in front of a track's or behind it."""
    return any(
        other is not track
        and other.id
        and other.firm
        and square_iou(other.place, track.place) > BESIDE
        for other in tracks
    )


def on_one(a: Track, b: Track) -> bool:
    """Whether two tracks are on one face: much the same, or one a part of the other."""
    common = square_iou(a.place, b.place)
    areas = a.side**2 + b.side**2
    smaller, larger = sorted((a.side, b.side))
    inside = common / (1 + common) * areas / smaller**2  # share of the smaller
    return bool(common > ONE or (inside > INSIDE and larger < PART * smaller))


def within(a: Track, b: Track, middle: float = CENTRAL) -> bool:
    """Whether a much smaller track lies in the middle of another."""
    off = max(abs(a.x - b.x), abs(a.y - b.y))
    return b.side > LARGER * a.side and off < middle * b.side


def at_one(a: Track, b: Track) -> bool:
    """Whether two tracks may be on one face, though the size of one is wrong."""
    off = max(abs(a.x - b.x), abs(a.y - b.y)) / max(a.side, b.side)
    return on_one(a, b) or (off < 0.25 and 0.5 < a.side / b.side < 2.0)
