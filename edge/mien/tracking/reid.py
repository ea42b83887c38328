"""Re-identification: gives an id back to a face that looks as the lost one did."""

from __future__ import annotations

from collections.abc import Iterable

from mien.boxes import FloatBox, center, iou, side
from mien.pyramid import Pyramid
from mien.tracking.template import similarity
from mien.tracking.track import Track

MAX_RATIO = 1.8  # of two sizes that may be one face
MAX_SPEED = 2.0  # sides per second that a lost face may have moved


def reidentify(
    box: FloatBox,
    candidates: Iterable[Track],
    pyramid: Pyramid,
    time: float,
    min_similarity: float,
    min_iou: float = 0.0,
) -> Track | None:
    """Return the lost track that a new face looks like most, None where it is nobody known.

    Only tracks whose box overlaps by `min_iou`, and who could have come so far, are compared.
    """
    best, most = None, min_similarity
    for track in candidates:
        if reachable(track, box, time) and iou(track.box, box) >= min_iou:
            alike = similarity(pyramid, track.appearance, box)
            if alike >= most:
                best, most = track, alike
    return best


def reachable(track: Track, box: FloatBox, time: float) -> bool:
    """Return whether a lost face may have come to a box, by its size and the time since."""
    size = side(box)
    larger = max(size, track.side)
    x, y = center(box)
    off = max(abs(x - track.x), abs(y - track.y)) / larger
    return larger < MAX_RATIO * min(size, track.side) and off <= 1 + MAX_SPEED * (time - track.seen)
