"""Says whether a place that the search gave is a face: the network first, then the cascades."""

from __future__ import annotations

from collections.abc import Sequence

from mien.detection.verifier import Faceness
from mien.pyramid import Pyramid
from mien.tracking.template import CONFIRM, VIEWS, Looker, patch, surest
from mien.tracking.track import CERTAIN, NO, SCANNED_CLEARLY, SOME, Track, taken


def examine(
    track: Track, pyramid: Pyramid, looker: Looker, network: Faceness, tracks: Sequence[Track]
) -> None:
    """Look at a new place once, in one frame, and let it take in what was seen.

    The network moves it to where a face is likeliest; where it sees none no cascade is asked, and
    where it or the search is certain one of them, in one view, for the box.
    """
    place, odds = network.climb(pyramid, track.place)
    track.x, track.y, track.side = place
    track.judge(odds)
    if odds >= NO:
        certain = odds >= CERTAIN or track.scanned >= SCANNED_CLEARLY
        for cascade, mirrored in VIEWS[: 1 if certain else None]:
            if track.hopeless(cascade):
                break
            hits = looker.hits(pyramid, place, CONFIRM, mirrored, cascade)
            best = surest(hit for hit in hits if not taken(hit, track, tracks))
            track.tell(best.windows if best else 0, mirrored, cascade)
            if best and (track.hit is None or best.windows > track.hit.windows):
                track.hit = best
            if best and best.windows >= SOME:
                track.own_cascade = min(track.own_cascade, cascade)
    if track.hit:
        track.settle(track.hit, 0.0)
        track.renew(patch(pyramid, *track.place))
    else:
        track.own = patch(pyramid, *track.place)
