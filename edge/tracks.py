"""Follows faces from frame to frame: who is new, who is the same, who has gone.

In each frame every face is looked for where its way leads, by its own picture, which costs little;
some of them, in turns, are looked at by the cascade, which corrects place and size and proves that
there still is a face. New places come from the search and are believed after a second look.
"""

from __future__ import annotations

from edge.look import CONFIRM, FOLLOW, Looker, has_features, match, patch
from edge.motion import Motion
from edge.pyramid import Gray, Pyramid
from edge.search import WINDOWS_S, Search
from edge.tracked import LIKE, MOST, Track, overlap, taken

LOOK_S = 0.1  # s between two looks of the cascade at a face
STILL_S = 0.5  # s between them where nothing moves and there is no doubt
LOOKS_A_FRAME = 3  # of the cascade, at most
SURE = 5  # windows in one look that bring a hidden face back
ONE = 0.45  # intersection over union from which two tracks are on one face
DOUBLED = 5  # frames after which they are
HIDDEN_S = 1.0  # s that a hidden face is looked for where its way leads
LOST_S = 3.0  # s after which a face that is not found again is forgotten
SAME = 0.6  # likeness from which a new face is taken for one that was lost
CUT_WINDOWS = 18_000.0  # positions searched in a frame of a new scene
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
        self._ids = 0
        self._time: float | None = None
        self._shape = (0, 0)

    @property
    def ids(self) -> set[int]:
        """The faces that are followed, hidden ones included."""
        return {track.id for track in self._tracks if track.id}

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
        for track in self._due(time):
            self._look(track, pyramid, step, time)
        self._tracks = [t for t in self._tracks if not self._gone(t, pyramid, time)]
        self._part()
        self._find(pyramid, changed, step, time)
        return [t for t in self._tracks if t.id and t.shows(time)]

    def _step(self, gray: Gray, time: float) -> float:
        """Return the seconds since the last frame, 0 where nothing is known of it."""
        step = 0.0 if self._time is None else time - self._time
        if gray.shape != self._shape or not 0 <= step <= PAUSE_S:
            self._tracks = []
            self._motion = Motion()
            self._shape = gray.shape
            step = 0.0
        self._time = time
        return step

    def _follow(
        self, track: Track, pyramid: Pyramid, changed: Gray, step: float, time: float
    ) -> None:
        """Move a track to where its own picture is, or on along its way."""
        track.hit = None
        track.likeness = 0.0
        track.still = False
        if track.own is None or (track.id and time - track.seen > HIDDEN_S):
            return
        if track.id and time - track.seen <= step and not _moves(track, changed, pyramid):
            track.across = track.down = 0.0
            track.likeness = 1.0
            track.still = True
            track.seen = time
            return
        track.x += track.across * step
        track.y += track.down * step
        found = match(pyramid, track.own, track.x, track.y, track.side)
        track.likeness = found.likeness
        if found.likeness >= LIKE:
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
            waited = time - track.looked >= rest / self.effort - 1e-3
            lost = track.id > 0 and time - track.seen > HIDDEN_S
            if not track.id or (waited and not lost):
                due.append(track)
        due.sort(key=lambda track: (track.id > 0, track.firm, track.looked))
        return due[:LOOKS_A_FRAME]

    def _look(self, track: Track, pyramid: Pyramid, step: float, time: float) -> None:
        """Let the cascade look at a track, twice at a new place: plain and mirrored."""
        track.looked = time
        # Every fourth look is a wide one: a size that was wrong from the start is found out.
        zoom = FOLLOW if track.id and track.firm and track.looks % 4 else CONFIRM
        # Who is out of sight may be behind somebody: only a sure look brings it back.
        least = SURE if track.id and not track.firm else 0
        for mirrored in (track.looks % 2 == 1,) if track.id else (False, True):
            hits = self._looker.hits(pyramid, *track.place, zoom, mirrored)
            best = max(
                (h for h in hits if h.windows >= least and not taken(h, track, self._tracks)),
                key=lambda hit: hit.windows,
                default=None,
            )
            track.tell(best.windows if best else 0, mirrored)
            if best and (track.hit is None or best.windows > track.hit.windows):
                track.hit = best
        if track.hit:
            track.settle(track.hit, step)
            track.renew(patch(pyramid, *track.place))
            track.seen = time
            if not track.id and track.convincing and has_features(track.own) and self._free():
                self._name(track, pyramid)

    def _name(self, track: Track, pyramid: Pyramid) -> None:
        """Give a new face the id of one that was lost and looked like it, else a new one."""
        best, likeness = None, SAME
        for lost in self._tracks:
            if not lost.id or lost.firm:
                continue
            found = match(pyramid, lost.own, *track.place)
            if found.likeness >= likeness:
                best, likeness = lost, found.likeness
        if best is None:
            self._ids += 1
            track.id = self._ids
        else:
            track.id = best.id
            self._tracks = [other for other in self._tracks if other is not best]

    def _free(self) -> bool:
        return sum(track.id > 0 for track in self._tracks) < self.most

    def _gone(self, track: Track, pyramid: Pyramid, time: float) -> bool:
        """Whether a track is refuted, out of the picture or lost for too long."""
        inside = 0 <= track.x < pyramid.width and 0 <= track.y < pyramid.height
        lost = track.id > 0 and time - track.seen > LOST_S
        return track.refuted or not inside or lost

    def _part(self) -> None:
        """Drop the newer of two tracks that have been on one face for a while.

        Where one face passes before another the hidden one is not firm, and stays.
        """
        firm = [track for track in self._tracks if track.id and track.firm]
        for track in firm:
            on_one = any(
                other.id < track.id and overlap(track.place, other.place) > ONE for other in firm
            )
            track.doubled = track.doubled + 1 if on_one else 0
        self._tracks = [track for track in self._tracks if track.doubled < DOUBLED]

    def _find(self, pyramid: Pyramid, changed: Gray, step: float, time: float) -> None:
        """Search for new faces, and take the places where there may be one."""
        if not self._free():
            return
        known = [track.place for track in self._tracks if track.firm or not track.id]
        # A new scene is searched faster than what happens in it.
        budget = CUT_WINDOWS if self._motion.cut else WINDOWS_S * min(step, 0.1) * self.effort
        for x, y, side in self._search.step(pyramid, changed, known, time, budget):
            own = patch(pyramid, x, y, side)
            if has_features(own):
                self._tracks.append(Track(x, y, side, own))


def _moves(track: Track, changed: Gray, pyramid: Pyramid) -> bool:
    """Whether anything has changed in a face's box."""
    cell = 1 << (len(pyramid.levels) - 1)
    half = track.side / 2
    left, right = max(0, int((track.x - half) / cell)), int((track.x + half) / cell) + 1
    top, bottom = max(0, int((track.y - half) / cell)), int((track.y + half) / cell) + 1
    return bool(changed[top:bottom, left:right].any())
