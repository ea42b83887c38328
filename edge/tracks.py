"""Follows faces from frame to frame: who is new, who is the same, who has gone.

In each frame every face is looked for where its way leads, by its own picture, which costs little;
some of them, in turns, are looked at by a cascade, which corrects place and size and proves that
there still is a face. New places come from the search; three cascades say whether they are faces.
"""

from __future__ import annotations

from edge.look import CONFIRM, FAR, FOLLOW, VIEWS, Looker, has_features, match, patch
from edge.motion import Motion
from edge.pyramid import Gray, Pyramid
from edge.search import WINDOWS_S, Search
from edge.tracked import DOUBTED, MOST, SOME, SOME_OF, SURE_OF, Track, overlap, taken

LOOK_S = 0.1  # s between two looks of the cascade at a face
STILL_S = 0.5  # s between them where nothing moves and there is no doubt
LOOKS_A_FRAME = 3  # faces that the cascade looks at, at most
LOOKS_OF_A_CUT = 12  # in a new scene
OTHER_SIZES = (1.0, 0.6, 1.5)  # times a face's size, tried in turns where it is not seen any more
WITHIN = 1.5  # ratio of two sides from which the larger face would hide the smaller
ONE = 0.45  # intersection over union from which two tracks are on one face
DOUBLED = 5  # frames after which they are
HIDDEN_S = 1.0  # s that a hidden face is looked for where its way leads
LEAST_EFFORT = 0.05
LOST_S = 3.0  # s after which a face that is not found again is forgotten
PAST_S = 10.0  # s for which it is known again when it comes back
PAST = 16  # faces remembered so, at most
# Likeness from which a new face is taken for one that was lost, just now and here, or elsewhere or
# longer ago. Of 703 pairs of pictures of one person some seconds apart 3 % are less alike than the
# second, of 2,047 pairs of two people 1 % more; 10 % are more alike than the first.
SAME, SAME_LATER = 0.6, 0.72
WALK = 2.0  # sides that a lost face may have moved in a second
HALT_S = 1.0  # s in which a face that is out of sight is thought to slow down
CUT_WINDOWS = 70_000.0  # positions searched in the first frame of a new scene: all of 640x480
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
        self._motion = Motion()
        self._tracks: list[Track] = []
        self._past: list[Track] = []  # lost not long ago
        self._ids = 0
        self._time: float | None = None
        self._shape = (0, 0)

    @property
    def ids(self) -> set[int]:
        """The faces that are followed or may come back under their ids."""
        return {track.id for track in (*self._tracks, *self._past) if track.id}

    def update(self, gray: Gray, time: float) -> list[Track]:
        """Return the faces in a frame, uint8 [H, W], taken at a time in seconds.

        Times go up; after a pause of more than a second or a change of size nobody is known any
        more, but no id is given again.
        """
        step = self._step(gray, time)
        pyramid = Pyramid(gray)
        changed = self._motion.update(pyramid.levels[-1])
        for track in self._tracks:
            self._follow(track, pyramid, changed, step, time)
        if self._motion.cut_now:
            # Another scene, other people; but a light that is switched on changes no face.
            self._tracks = [track for track in self._tracks if track.id and track.alike]
            self._past = []
        for track in self._due(time):
            self._look(track, pyramid, step, time)
        self._forget(pyramid, time)
        self._part()
        new = self._find(pyramid, changed, step, time)
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

    def _follow(
        self, track: Track, pyramid: Pyramid, changed: Gray, step: float, time: float
    ) -> None:
        """Move a track to where its own picture is, or on along its way."""
        before = 1.0 if track.hit else track.likeness
        track.hit, track.likeness = None, 0.0
        track.still = False
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
        found = match(pyramid, track.own, *track.place)
        track.likeness = found.likeness
        if track.id and not track.alike:
            found = match(pyramid, track.own, *track.place, FAR)
            track.likeness = found.likeness
        if not track.alike:
            track.across *= max(0.0, 1 - step / HALT_S)
            track.down *= max(0.0, 1 - step / HALT_S)
        else:
            track.seen = time
            track.move(found.x - track.x, found.y - track.y, 1.0, step)

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
        """Let a cascade look at a track; at a new place each, plain and mirrored."""
        track.looked = time
        track.looks += 1
        zoom = FOLLOW if track.id and track.firm and track.misses < 2 else CONFIRM
        x, y, side = track.place
        if track.id and track.misses > 2:
            side *= OTHER_SIZES[track.misses % 3]
        # Who is out of sight may be behind somebody: only a sure look brings it back.
        least = 0 if not track.id else (SOME_OF if track.firm else SURE_OF)[track.cascade]
        views = [(track.cascade, track.looks % 2 == 1)] if track.id else VIEWS
        for cascade, mirrored in views:
            if not track.id and track.hopeless(cascade):
                break
            hits = self._looker.hits(pyramid, (x, y, side), zoom, mirrored, cascade)
            best = max(
                (h for h in hits if h.windows >= least and not taken(h, track, self._tracks)),
                key=lambda hit: hit.windows,
                default=None,
            )
            track.tell(best.windows if best else 0, mirrored, cascade)
            if best and (track.hit is None or best.windows > track.hit.windows):
                track.hit = best
            if best and not track.id and best.windows >= SOME:
                track.own_cascade = min(track.own_cascade, cascade)
        track.misses = 0 if track.hit else track.misses + 1
        if track.id and not track.hit:
            # Who is blind to it is asked all the same: it may see what has become of it.
            track.cascade = 0 if track.cascade else track.own_cascade
        if track.hit:
            track.settle(track.hit, step)
            track.renew(patch(pyramid, *track.place))
            track.seen = time
            if not track.id and track.convincing and has_features(track.own) and self._free():
                self._name(track, pyramid, time)

    def _name(self, track: Track, pyramid: Pyramid, time: float) -> None:
        """Give a new face the id of one that was lost and looked like it, else a new one."""
        if any(other.id and other.firm and _within(other, track) for other in self._tracks):
            track.belief = DOUBTED  # a face and its surroundings look like one
            return
        near = (other for other in self._tracks if other.id and _at_one(other, track))
        best, likeness = next(near, None), 2.0
        if best is not None and best.firm and not best.doubtful:
            track.belief = DOUBTED  # it is followed already
            return
        if best is None:
            likeness = 0.0
        for lost in (*self._tracks, *self._past):
            if not lost.id or (lost in self._tracks and lost.firm and not lost.doubtful):
                continue
            least = max(likeness, _least_likeness(lost, track, time))
            if least > 1:
                continue
            for picture in (lost.own, lost.clear):
                alike = 0.0 if picture is None else match(pyramid, picture, *track.place).likeness
                if alike >= least:
                    best, likeness, least = lost, alike, alike
        track.belief = min(track.belief, MOST)
        track.cascade = track.own_cascade
        if best is None:
            self._ids += 1
            track.id = self._ids
        else:
            track.id = best.id
            self._tracks = [other for other in self._tracks if other is not best]
            self._past = [other for other in self._past if other is not best]

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
            elif track.id:
                self._past.append(track)
        self._tracks = kept
        self._past = [track for track in self._past if time - track.seen <= PAST_S][-PAST:]

    def _part(self) -> None:
        """Make one of two tracks that have been on one face for a while, under the older's id.

        Where one face passes before another the hidden one is not firm, and stays.
        """
        firm = [track for track in self._tracks if track.id and track.firm]
        for track in firm:
            other = next((o for o in firm if o.id < track.id and _on_one(o, track)), None)
            track.doubled = track.doubled + 1 if other else 0
            if other and other.doubtful and not track.misses:
                track.id = other.id
                self._tracks.remove(other)
                return
        self._tracks = [track for track in self._tracks if track.doubled < DOUBLED]

    def _shown(self, time: float) -> list[Track]:
        """Return the faces to be reported, of two tracks on one face the older."""
        kept: list[Track] = []
        for track in sorted(self._tracks, key=lambda track: (not track.firm, track.id)):
            known = track.id and track.shows(time)
            if known and not any(_on_one(track, other) for other in kept):
                kept.append(track)
        return sorted(kept, key=lambda track: track.id)

    def _find(self, pyramid: Pyramid, changed: Gray, step: float, time: float) -> list[Track]:
        """Search for new faces; return the places where there may be one, the likeliest first."""
        if not self._free():
            return []
        known = [track.place for track in self._tracks if track.firm or not track.id]
        # A new scene is searched faster than what happens in it.
        # The second time with the other cascade.
        whole = self._motion.settling
        budget = CUT_WINDOWS if whole else WINDOWS_S * min(step, 0.1) * self.effort
        new = []
        for x, y, side in self._search.step(pyramid, changed, known, time, budget, whole):
            own = patch(pyramid, x, y, side)
            if has_features(own):
                new.append(Track(x, y, side, own))
        self._tracks += new
        return new


def _least_likeness(lost: Track, new: Track, time: float) -> float:
    """Return how much a new face must look like a lost one to be it; over 1 where it cannot be."""
    gone = time - lost.seen
    ratio = new.side / lost.side
    side = max(new.side, lost.side)
    off = max(abs(new.x - lost.x), abs(new.y - lost.y)) / side
    pace = WALK + max(abs(lost.across), abs(lost.down)) / side
    if not 0.55 < ratio < 1.8 or off > 1.0 + pace * gone:
        return 2.0
    return SAME if off <= 1.0 and gone <= LOST_S else SAME_LATER


def _moves(track: Track, changed: Gray, pyramid: Pyramid) -> bool:
    """Whether anything has changed in a face's box."""
    cell = 1 << (len(pyramid.levels) - 1)
    half = track.side / 2
    left, right = max(0, int((track.x - half) / cell)), int((track.x + half) / cell) + 1
    top, bottom = max(0, int((track.y - half) / cell)), int((track.y + half) / cell) + 1
    return bool(changed[top:bottom, left:right].any())


def _on_one(a: Track, b: Track) -> bool:
    """Whether two tracks are on one face."""
    return overlap(a.place, b.place) > ONE


def _within(a: Track, b: Track) -> bool:
    """Whether a much smaller track lies in the middle of another: it would be behind it."""
    off = max(abs(a.x - b.x), abs(a.y - b.y))
    return b.side > WITHIN * a.side and off < 0.35 * b.side


def _at_one(a: Track, b: Track) -> bool:
    """Whether two tracks may be on one face, though the size of one is wrong."""
    off = max(abs(a.x - b.x), abs(a.y - b.y)) / max(a.side, b.side)
    return _on_one(a, b) or (off < 0.25 and 0.5 < a.side / b.side < 2.0)
