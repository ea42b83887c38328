"""Follows faces from frame to frame: who is new, who is the same, who has gone.

In each frame every face is looked for where its way leads, by its own picture, which costs little;
some of them, in turns, are looked at by a cascade, which corrects place and size and proves that
there still is a face. New places come from the search; a network and three cascades say whether
they are faces (edge/mien/tracking/initiation.py).
"""

from __future__ import annotations

from mien.boxes import square_iou
from mien.detection.verifier import Faceness
from mien.pyramid import Gray, Pyramid
from mien.tracking.initiation import examine
from mien.tracking.motion import Motion
from mien.tracking.propagation import HIDDEN_S, follow
from mien.tracking.reid import (
    LOST_S,
    at_one,
    beside,
    former,
    is_back,
    may_be,
    on_one,
    part,
    within,
)
from mien.tracking.scheduler import Search, on, same
from mien.tracking.template import CONFIRM, FOLLOW, Looker, has_features, patch, portrait, surest
from mien.tracking.track import (
    CLEAR,
    CLEARLY,
    DOUBTED,
    MOST,
    NAMED,
    NAMED_AT_ONCE,
    NO,
    SOME_OF,
    SURE_OF,
    UNSEEN,
    Track,
    taken,
)

LOOK_S = 0.1  # s between two looks of the cascade at a face
STILL_S = 0.5  # s between them where nothing moves and there is no doubt
LOOKS_A_FRAME = 3  # faces that the cascade looks at, at most
LOOKS_OF_A_CUT = 12  # in a new scene
GROWS = 1.33  # times a known face's size from which a box is of the face with its surroundings
OTHER_SIZES = (1.0, 0.6, 1.5)  # times a face's size, tried in turns where it is not seen any more
WAIT = 8  # frames that a face which comes out from behind another is given to show who it is
LEAST_EFFORT = 0.05
PAST_S = 10.0  # s for which it is known again when it comes back
PAST = 16  # faces remembered so, at most
AGAIN = 0.4  # intersection over union from which a place is one that is in doubt already
PAUSE_S = 1.0  # s between two frames after which nothing can be said of what went on


class Tracker:
    """All faces of one source of frames.

    `most` is how many faces are followed at once: those found first. `effort` (0 to 1) may be
    lowered at any time: the cascade then searches and looks less often.
    """

    def __init__(self, most: int = 16) -> None:
        self.most = most
        self.effort = 1.0
        self._search = Search()
        self._looker = Looker()
        self._network = Faceness()
        self._motion = Motion()
        self._tracks: list[Track] = []
        self._past: list[Track] = []  # lost not long ago
        self._ids = 0
        self._time: float | None = None
        self._shape = (0, 0)

    @property
    def ids(self) -> set[int]:
        """The faces that are followed or may come back under their ids."""
        known = (track for track in (*self._tracks, *self._past) if not track.unsettled)
        return {track.id for track in known if track.id}

    def update(self, gray: Gray, time: float) -> list[Track]:
        """Return the faces in a frame, uint8 [H, W], taken at a time in seconds.

        Times go up; after a pause of more than a second or a change of size nobody is known any
        more, but no id is given again.
        """
        step = self._step(gray, time)
        pyramid = Pyramid(gray)
        changed = self._motion.update(pyramid.levels[-1])
        for track in self._tracks:
            follow(track, pyramid, changed, self._network, step, time)
        if self._motion.cut_now:
            # Another scene, other people; but a light that is switched on changes no face.
            self._tracks = [track for track in self._tracks if track.id and track.alike]
            self._past = []
        for track in self._due(time):
            self._look(track, pyramid, step, time)
        self._forget(pyramid, time)
        self._tracks = part(self._tracks, pyramid)
        new = self._find(pyramid, changed, time)
        if self._motion.cut_now:
            for track in new[:LOOKS_OF_A_CUT]:
                self._look(track, pyramid, step, time)
            self._forget(pyramid, time)
        return self._shown(time)

    def _step(self, gray: Gray, time: float) -> float:
        """Return the seconds since the last frame, 0 where nothing is known of it."""
        step = 0.0 if self._time is None else time - self._time
        if gray.shape != self._shape or not 0 <= step <= PAUSE_S:
            self._tracks = []
            self._past = []
            self._motion = Motion()
            self._shape = gray.shape
            step = 0.0
        self._time = time
        return step

    def _due(self, time: float) -> list[Track]:
        """Return the tracks that the cascade looks at in this frame.

        New places first, then those that are out of sight, then the longest waiting.
        """
        due = []
        for track in self._tracks:
            rest = STILL_S if track.still and track.belief >= MOST else LOOK_S
            rest = 0.0 if track.young else rest
            waited = time - track.looked >= rest / max(self.effort, LEAST_EFFORT) - 1e-3
            lost = track.id > 0 and time - track.seen > HIDDEN_S
            if not track.id or (waited and not lost):
                due.append(track)
        due.sort(key=lambda track: (track.id > 0, track.firm, track.looked))
        return due[: LOOKS_OF_A_CUT if self._motion.cut else LOOKS_A_FRAME]

    def _look(self, track: Track, pyramid: Pyramid, step: float, time: float) -> None:
        """Let the cascades and the network look at a track."""
        track.looked = time
        track.looks += 1
        if track.id:
            self._look_again(track, pyramid, step, time)
            return
        examine(track, pyramid, self._looker, self._network, self._tracks)
        if track.hit:
            track.seen = time
        if track.convincing and has_features(track.own) and self._free():
            track.seen = time
            self._name(track, pyramid, time)

    def _look_again(self, track: Track, pyramid: Pyramid, step: float, time: float) -> None:
        """Look at a known face."""
        zoom = FOLLOW if track.firm and track.misses < 2 else CONFIRM
        x, y, side = track.place
        if track.misses > 2:
            side *= OTHER_SIZES[track.misses % 3]
        # Who is out of sight may be behind somebody: only a sure look brings it back.
        least = (SOME_OF if track.firm else SURE_OF)[track.cascade]
        mirrored = track.looks % 2 == 1
        best = surest(
            hit
            for hit in self._looker.hits(pyramid, (x, y, side), zoom, mirrored, track.cascade)
            if hit.windows >= least
            and hit.side <= GROWS * side
            and not taken(hit, track, self._tracks)
        )
        if best and is_back(track, (best.x, best.y, best.side), pyramid):
            track.faceness = self._network.at(pyramid, best.x, best.y, best.side)
            if track.faceness >= NO:
                track.hit = best
        track.tell(track.hit.windows if track.hit else 0, mirrored, track.cascade)
        track.misses = 0 if track.hit else track.misses + 1
        if track.hit:
            track.settle(track.hit, step)
            track.renew(patch(pyramid, *track.place))
            if track.hit.windows >= CLEAR and not beside(track, self._tracks):
                track.portrait = portrait(pyramid, *track.place)
            track.seen = time
            return
        # Who is blind to it is asked all the same: it may see what has become of it.
        track.cascade = 0 if track.cascade else track.own_cascade
        if track.alike:
            place, track.faceness = self._network.near(pyramid, track.place)
            if track.faceness >= CLEARLY:
                track.confirm(place)

    def _name(self, track: Track, pyramid: Pyramid, time: float) -> None:
        """Give a new face the id of one that was lost and looked like it, else a new one."""
        if any(other.id and other.firm and within(other, track) for other in self._tracks):
            track.belief = DOUBTED  # a face and its surroundings look like one
            return
        known = [other for other in self._tracks if other.id]
        if any(at_one(other, track) and other.firm and not other.doubtful for other in known):
            track.belief = DOUBTED  # it is followed already
            return
        lost = [other for other in known if not other.firm or other.doubtful]
        before = former(track, (*lost, *self._past), pyramid, time)
        doubt = before is None and track.waited < WAIT and beside(track, self._tracks)
        if doubt and any(may_be(other, track, pyramid, time) for other in lost):
            track.waited += 1
            return
        sure = (
            track.faceness >= CLEARLY or track.looks == 1 or before is not None or self._motion.cut
        )
        track.belief = NAMED_AT_ONCE if sure else NAMED
        track.cascade = track.own_cascade
        track.portrait = portrait(pyramid, *track.place)
        if before is None:
            self._ids += 1
            track.id = self._ids
        else:
            track.id, track.proven = before.id, before.proven
            track.portrait = before.portrait  # whoever comes out from behind is half covered yet
            self._tracks = [other for other in self._tracks if other is not before]
            self._past = [other for other in self._past if other is not before]

    def _free(self) -> bool:
        return sum(track.id > 0 for track in self._tracks) < self.most

    def _forget(self, pyramid: Pyramid, time: float) -> None:
        """Drop the tracks that are refuted, out of the picture or lost for too long."""
        kept = []
        for track in self._tracks:
            inside = 0 <= track.x < pyramid.width and 0 <= track.y < pyramid.height
            lost = track.id > 0 and time - track.seen > LOST_S
            if not (track.refuted or not inside or lost):
                kept.append(track)
            elif track.id and not track.unsettled:
                self._past.append(track)
        self._tracks = kept
        self._past = [track for track in self._past if time - track.seen <= PAST_S][-PAST:]

    def _shown(self, time: float) -> list[Track]:
        """Return the faces to be reported, of two tracks on one face the older."""
        kept: list[Track] = []
        for track in sorted(self._tracks, key=lambda track: (not track.firm, track.id)):
            known = track.id and track.shows(time)
            track.shown = bool(known) and not any(on_one(track, other) for other in kept)
            if track.shown:
                kept.append(track)
        return sorted(kept, key=lambda track: track.id)

    def _find(self, pyramid: Pyramid, changed: Gray, time: float) -> list[Track]:
        """Search for new faces; return the places where there may be one, the likeliest first."""
        if not self._free():
            return []
        known = [track.place for track in self._tracks if track.firm and track.id]
        doubtful = [track for track in self._tracks if not track.id]
        effort = max(self.effort, LEAST_EFFORT)
        new = []
        found = self._search.step(
            pyramid, changed, known, time, effort, self._motion.cut_now, bool(doubtful)
        )
        if found is None:
            return []
        for track in self._tracks:
            place = same(track.place, found) if track.id and track.firm else None
            if place and not beside(track, self._tracks):  # else it may be the other's
                track.fit(place)
                track.renew(patch(pyramid, *track.place))
        unseen = list(doubtful)
        for place, scanned in found:
            if any(on(place, face) for face in known):
                continue
            before = max(doubtful, key=lambda track: square_iou(track.place, place), default=None)
            if before and square_iou(before.place, place) > AGAIN:
                if before in unseen:
                    before.scan(scanned)
                    unseen.remove(before)
                continue
            better, odds = self._network.climb(pyramid, place)
            if odds >= NO:
                new.append(Track(*better, patch(pyramid, *better)))
                new[-1].scan(scanned)
        for track in unseen:
            track.scan(UNSEEN)
        self._tracks += new
        return new
