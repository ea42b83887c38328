"""One face that is followed: where it is, where it goes, and how sure it is that it is one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np

from mien.boxes import Square, square_iou
from mien.pyramid import Gray
from mien.tracking.template import Hit

LIKE = 0.75  # likeness from which a face's own picture says where it is
# Looks in a row in which the cascade saw nothing, and the likeness that is needed from then on.
# Counted at 6,987 looks: under 0.8 after 4 of them, and under 0.9 after 7, a track is on a face no
# more often than not.
CLEARER = ((7, 0.9), (4, 0.8), (0, LIKE))
DOUBTFUL = 3  # such looks from which another track on the same face is the better one
ALIKE = 0.85  # likeness from which its own picture is renewed quickly
HALF_LIKE = 0.5  # likeness under which a face that was seen just now is out of sight
CLEAR = 8  # windows in one look from which nothing hides a face
SPEED_GAIN = 0.4  # of the speed's correction
SEEN_S = 0.1  # s that a face is reported on without having been seen

# What a look says, as the logarithm of how much likelier it is at a face than elsewhere, by the
# windows of each cascade that agree: from 8, from 5, from 3, from 2, none. Counted at 427 true and
# 415 false places that the search gave, in four frames each, plain and mirrored.
NEW = (
    ((8, 4.0), (5, 3.0), (3, 2.0), (2, 0.8), (0, -0.7)),
    ((8, 3.0), (5, 2.5), (3, 1.8), (2, 0.8), (0, -0.9)),
    ((8, 2.0), (5, 1.3), (3, 0.6), (2, 0.0), (0, -0.3)),
)
# And of a face that was named just now, one view in each frame. Looks in successive frames say much
# the same, so whoever was believed by adding them up has yet to be seen by others: of 89 true ones
# 55 were seen by three windows or more in each of the next 8 frames, of 7 false ones none in more
# than 3. Those 7 had all needed two looks to be believed, 61 of the 91 true ones had not.
YOUNG = ((5, 2.0), (3, 1.2), (2, -0.3), (0, -0.8))
NAMED, NAMED_AT_ONCE = 5.0, 8.0  # the sum with which it begins
SHOWN = 5.5  # and from which it is reported
# A known face may turn away for a moment, but only one view in each frame speaks against it.
KNOWN = (
    ((5, 3.0), (3, 1.5), (0, 0.5)),
    ((5, 3.0), (3, 1.5), (0, 0.5)),
    ((8, 2.0), (5, 1.3), (0, 0.0)),
)
MISSED = -1.3
CONFIRMED = 1.5  # makes good for the look of the cascade that saw nothing
# Share of what the search's place is off by. At 4,564 places of known faces on six films a track's
# side was 5.5 % too large on average and the search's 5.4 % too small, off by more than 20 % in 8.3
# and 11.9 % of them; the mean of both was right on average, and off by as much in 4.8 %.
FIT = 0.3
DRIFT = 0.3  # share of what the network's place is off by
# What the network says of a place, log odds (edge/mien/detection/weights/face_verifier.md): of
# faces 1.5 % are under
# NO and 5 % under YES; of the places which it takes for faces most 1 in 3,000 is over CERTAIN.
NO, YES, CLEARLY = -1.5, 1.5, 3.0
NEEDED = 2.5  # under which a new place is not believed to be a face
CERTAIN, CERTAIN_LOOKS = 4.5, 3  # in so many looks in a row: no cascade needs to agree
# And what that adds to the belief in a new place.
JUDGED = ((4.0, 6.0), (CLEARLY, 4.0), (YES, 2.0), (0.0, -1.0), (NO, -3.0), (-99.0, -5.0))
# What the search says of a new place (edge/mien/detection/weights/face_ssd.md): by itself it is
# sure in one scan, or
# so many of them have to average as much. A badge on a suit that is taken for a face for once has
# an average under it, as have most places that three cascades take for one. UNSEEN is what a scan
# counts that does not tell the place.
SCANNED_CLEARLY, SCANNED, SCANS, UNSEEN = 1.0, 0.0, 3, -2.0
# Where the other network says more than CERTAIN on average, so much less than SCANNED will do, down
# to this: of the places on no face in sixteen copies of the demo's clip it says 4.5 at most.
SCANNED_POORLY = -1.0
SOME_OF = (2, 3, 5)  # windows of each cascade under which it does not see a known face
SURE_OF = (5, 5, 8)  # and one that is out of sight
# Of the places that the search gave on four films 217 on a face and 12 on none came to 10, 208 and
# 10 to 12; by the first cascade alone a third of the true ones would be lost.
BELIEVED = 10.0  # sum from which a new place is a face
DOUBTED = -3.0  # sum from which it is none
LAST = 2  # cascade, that is only asked where the others leave a doubt
LOOKS = 8  # frames after which it is given up, if it was scanned often enough
SURE = 5  # windows in one look that leave no doubt
SOME = 3  # windows that are needed once in a plain and once in a mirrored view
MOST = 12.0  # the sum of a known face goes no higher; under 0 it is none any more
PROBATION = 10  # looks, every frame one, in which a face counts as new


@dataclass(eq=False)
class Track:
    """A face that is followed, or a place at which there may be one (`id` is 0)."""

    x: float  # px of the frame, centre
    y: float
    side: float  # px
    own: Gray  # its own picture
    portrait: Gray | None = None  # how it looked when it was last seen clearly, with nobody near
    id: int = 0  # from 1, never given twice
    across: float = 0.0  # px per second
    down: float = 0.0
    moves: int = 0  # times that its speed was corrected
    likeness: float = 0.0  # of its picture and its place, in this frame
    hit: Hit | None = None  # what the cascade saw in this frame
    still: bool = False  # whether nothing moves there
    belief: float = 0.0  # the sum of what the looks said
    looks: int = 0  # of the cascades, those in one frame as one
    cascade: int = 0  # the one that looks at it next
    own_cascade: int = 2  # the first that has seen it clearly
    faceness: float = 0.0  # log odds that it is a face, as the network last said
    scanned: float = -99.0  # the most that a scan said of a new place, log odds
    scans: int = 0
    scans_sum: float = 0.0  # log odds
    judged: int = 0  # times that the network said it of a new place
    judged_sum: float = 0.0  # log odds
    certain: int = 0  # looks in a row in which it said so with certainty
    misses: int = 0  # looks in a row in which it saw nothing
    plain: int = 0  # windows, the most in a plain look
    mirrored: int = 0  # and in a mirrored one
    waited: int = 0  # frames in which it was not said yet who it is
    shown: bool = False  # whether it was reported in the last frame
    proven: bool = False  # whether it was a face still when its probation ended
    doubled: int = 0  # frames in a row in which another was on the same face
    looked: float = field(default=-1e9)  # s, time of the last look
    seen: float = field(default=-1e9)  # s, time at which it was last seen by either
    before: tuple[float, float, float] = (0.0, 0.0, -1e9)  # x, y and `seen` but for this frame

    @property
    def firm(self) -> bool:
        """Whether its place in this frame is known."""
        return self.hit is not None or self.alike

    @property
    def alike(self) -> bool:
        """Whether its own picture says where it is: clearly, where the cascade does not agree."""
        return self.likeness >= next(like for misses, like in CLEARER if self.misses >= misses)

    @property
    def doubtful(self) -> bool:
        """Whether the cascade has not seen it any more for some looks."""
        return self.misses >= DOUBTFUL

    @property
    def young(self) -> bool:
        """Whether it may yet turn out to be no face."""
        return self.looks <= PROBATION or not self.proven

    @property
    def unsettled(self) -> bool:
        """Whether it has yet to be seen again before it is reported."""
        return self.id > 0 and self.young and self.belief < SHOWN

    @property
    def place(self) -> Square:
        """Centre and side, px."""
        return self.x, self.y, self.side

    @property
    def convincing(self) -> bool:
        """Whether a new place has been seen to be a face."""
        if self.faceness < NEEDED:
            return False
        if self.scanned >= SCANNED_CLEARLY:
            return True
        if self.scans < SCANS or self.scans_sum / self.scans < self._scan_needed:
            return False
        if self.belief < BELIEVED:
            return False
        if self.certain >= CERTAIN_LOOKS:
            return True
        some = min if self.faceness < CLEARLY else max
        return some(self.plain, self.mirrored) >= SOME

    @property
    def _scan_needed(self) -> float:
        """The log odds that a new place's scans must average, less where the network is sure."""
        return max(SCANNED_POORLY, SCANNED - max(0.0, self.judged_sum / self.judged - CERTAIN))

    @property
    def refuted(self) -> bool:
        """Whether there is no face, or none any more."""
        if self.id:
            return self.belief < 0
        tired = self.looks >= LOOKS + self.waited and self.scans >= SCANS
        return self.belief <= DOUBTED or tired

    def shows(self, time: float) -> bool:
        """Whether a face is there to be reported: seen now, or just now and little changed."""
        if self.unsettled or (self.young and self.doubtful):
            return False
        just_now = time - self.seen <= SEEN_S and self.likeness >= HALF_LIKE and not self.doubtful
        return self.firm or just_now

    def hopeless(self, cascade: int) -> bool:
        """Whether a new place need not be looked at by this cascade any more, or not now."""
        return cascade == LAST and (self.belief <= DOUBTED or self.convincing)

    def tell(self, windows: int, mirrored: bool, cascade: int = 0) -> None:
        """Take in what a look of a cascade saw."""
        if mirrored:
            self.mirrored = max(self.mirrored, windows)
        else:
            self.plain = max(self.plain, windows)
        table: tuple[tuple[int, float], ...] = NEW[cascade]
        if self.id:
            table = YOUNG if self.young else KNOWN[cascade]
        said = next(value for least, value in table if windows >= least)
        if self.id and not self.young and not windows:
            said = MISSED
        # A face that is behind something is not refuted by not being seen.
        if windows or self.alike or not self.id:
            self.belief += said
        if self.id:
            self.belief = min(self.belief, MOST)
            self.proven = self.proven or (self.looks >= PROBATION and self.belief >= SHOWN)

    def scan(self, odds: float) -> None:
        """Take in what the search said of a new place: log odds."""
        self.scanned = max(self.scanned, odds)
        self.scans += 1
        self.scans_sum += odds

    def judge(self, faceness: float) -> None:
        """Take in what the network says of a new place: log odds."""
        self.faceness = faceness
        self.judged += 1
        self.judged_sum += faceness
        self.certain = self.certain + 1 if faceness >= CERTAIN else 0
        self.belief += next(value for least, value in JUDGED if faceness >= least)

    def move(self, across: float, down: float, share: float, step: float) -> None:
        """Correct the place by a share of what it is off (px), the speed if `step` (s) is given.

        An alpha-beta filter; of a face seen for the first time the speed is not known at all.
        """
        self.x += share * across
        self.y += share * down
        if step > 0:
            self.moves += 1
            gain = max(SPEED_GAIN, 1.0 / self.moves)
            self.across += gain * across / step
            self.down += gain * down / step

    def settle(self, hit: Hit, step: float) -> None:
        """Correct place and size by what the cascade saw.

        Its boxes are right on average, but each is off by 6 %, so where the face's own picture has
        said the place they only keep that from drifting.
        """
        if hit.windows >= SURE and not 0.75 < hit.side / self.side < 1.33:
            # The size was wrong from the start: a face and its surroundings had looked like one.
            self.x, self.y, self.side = hit.x, hit.y, hit.side
            return
        if self.alike:
            self.move(hit.x - self.x, hit.y - self.y, 0.25, 0.0)
        else:
            self.move(hit.x - self.x, hit.y - self.y, 0.8, step)
        self.side += (0.3 if self.id else 0.6) * (hit.side - self.side)

    def confirm(self, place: Square) -> None:
        """Take in that the network sees the face, where no cascade does, and where."""
        self.misses = 0
        self.belief = min(MOST, self.belief + CONFIRMED)
        x, y, side = place
        self.move(x - self.x, y - self.y, DRIFT, 0.0)
        self.side += DRIFT * (side - self.side)

    def fit(self, place: Square) -> None:
        """Correct place and size by what the search saw: it errs otherwise than the cascades."""
        x, y, side = place
        self.move(x - self.x, y - self.y, FIT, 0.0)
        self.side *= (side / self.side) ** FIT

    def give_way(self) -> None:
        """Take back that it was seen in this frame: what is there is somebody else."""
        self.hit, self.likeness = None, 0.0
        self.x, self.y, self.seen = self.before

    def renew(self, fresh: Gray) -> None:
        """Take over how the face looks now.

        Where that is not as before something may be in front of it: only little by little.
        """
        share = 0.5 if self.likeness >= ALIKE else 0.15
        self.own = np.asarray(cv2.addWeighted(self.own, 1 - share, fresh, share, 0), np.uint8)


def taken(hit: Hit, track: Track, tracks: Sequence[Track]) -> bool:
    """Whether a hit near a track is rather another face's."""
    place = (hit.x, hit.y, hit.side)
    own = square_iou(place, track.place) * max(track.likeness, 0.5)
    return any(
        square_iou(place, other.place) > max(own, 0.3)
        for other in tracks
        if other is not track and other.id and other.firm
    )
