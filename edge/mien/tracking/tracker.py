"""Tracker: faces from frame to frame under ids that last.

A detector looks at some ten frames a second; in between each face is followed by its template.
Detections are associated with tracks as ByteTrack does it (Zhang et al., ECCV 2022), and an id is
given back only to a face that looks as the lost one did.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from mien.boxes import center, has_inside, ios, iou
from mien.detection.base import Detection, Detector
from mien.detection.tiles import Area, detect_window, suppress, windows
from mien.pyramid import Gray, Pyramid
from mien.tracking.association import associate
from mien.tracking.motion import MotionDetector
from mien.tracking.reid import reachable, reidentify
from mien.tracking.template import appearance, match_template, similarity, template
from mien.tracking.track import Track, TrackState

MIN_BUDGET = 0.05  # of `compute_budget`: detections never stop
# Of a new detection and a followed face, and of two followed ones, from which they are one face.
DUPLICATE_IOS, DUPLICATE_IOU = 0.6, 0.45
MAX_REMEMBERED = 16  # removed tracks whose ids may be given back


@dataclass(frozen=True)
class TrackerConfig:
    """The tracker's numbers. "Sweep" means `mien-train score CLIPS --sweep`, see docs."""

    detect_interval_s: float = 0.1  # s between detections; longer costs less, finds later
    fine_interval_s: float = 0.5  # s between windows looked at in turn, for small faces; sweep
    recheck: int = 3  # detections without a face after which its window is looked at; sweep
    keep_score: float = 0.4  # detections under it are ignored; sweep
    start_score: float = 0.7  # from which one starts a track or finds a lost one; sweep
    confirm_score: float = 0.8  # from which a new track is confirmed at once; sweep
    confirm_hits: int = 2  # detections that confirm a weaker one; sweep
    min_iou: float = 0.3  # of a detection and its track; ByteTrack's is 0.2, faces are smaller
    min_ncc: float = 0.75  # of a template, from which it says where the face is
    hold_s: float = 0.5  # s for which the template alone keeps a face shown; sweep
    coast_s: float = 0.1  # s for which a face is shown that neither sees
    max_lost_s: float = 3.0  # s for which a lost face is waited for where it was
    memory_s: float = 10.0  # s for which it is known again anywhere
    same_similarity: float = 0.5  # of appearances, to go on as the same track where it was; sweep
    reid_similarity: float = 0.65  # to give an id back elsewhere; sweep
    reid_hits: int = 4  # detections that a face coming out from behind another has to show its own
    position_gain: float = 0.6  # of a detection's correction of place and size, 0 to 1
    velocity_gain: float = 0.4  # of the correction of velocity
    cut_difference: float = 15.0  # gray levels of mean difference that are a scene cut
    max_gap_s: float = 1.0  # s between two frames after which nobody is known any more


class Tracker:
    """Follows the faces of one source of frames; for one thread.

    `max_faces` bounds the faces followed at once: those found first. `compute_budget` (0 to 1) may
    be lowered at any time and makes detections rarer.
    """

    def __init__(
        self, detector: Detector, config: TrackerConfig | None = None, max_faces: int = 16
    ) -> None:
        self.config = config or TrackerConfig()
        self.max_faces = max_faces
        self.compute_budget = 1.0
        self._detector = detector
        self._ids = 0
        self._time: float | None = None
        self._shape = (0, 0)
        self._reset()

    @property
    def ids(self) -> set[int]:
        """The ids that are followed or may come back."""
        return {track.id for track in (*self._tracks, *self._removed) if track.id}

    def update(self, gray: Gray, time: float) -> list[Track]:
        """Return the faces of the next frame, uint8 [H, W], in the order of their ids.

        `time` in s goes up; after a gap, or with another size of frame, nobody is known any more,
        but no id is given twice.
        """
        step = self._begin(gray, time)
        pyramid = Pyramid(gray)
        self._motion.update(pyramid.levels[-1])
        # Step 1: predict each face's place, and find its template there.
        for track in self._tracks:
            self._follow(track, pyramid, step, time)
        if self._motion.cut:
            self._forget_scene(time)
        # Step 2: detect when due.
        detections = self._detect(gray, time)
        if detections is not None:
            # Step 3: associate good detections with all tracks, weak ones with the tracks left.
            unmatched = self._associate(detections, pyramid, step, time)
            # Step 4: start a track where a good detection has none; confirm what was seen enough.
            self._start(unmatched, pyramid, time)
        # Step 5: lose what is not seen, remove what is lost for long, report the rest.
        return self._settle(pyramid, time)

    def _begin(self, gray: Gray, time: float) -> float:
        """Return the s since the last frame, 0 where nothing is known of it."""
        step = 0.0 if self._time is None else time - self._time
        if gray.shape != self._shape or not 0 <= step <= self.config.max_gap_s:
            self._shape, step = gray.shape, 0.0
            self._reset()
        self._time = time
        return step

    def _reset(self) -> None:
        self._tracks: list[Track] = []
        self._removed: list[Track] = []  # not long ago, the latest last
        self._motion = MotionDetector(self.config.cut_difference)
        self._detected = self._detected_whole = self._turn = -math.inf  # s
        self._doubtful: list[tuple[float, float]] = []  # middles of weak detections without a track
        self._looked = [-math.inf] * len(windows(1, 1))  # s, by window

    def _follow(self, track: Track, pyramid: Pyramid, step: float, time: float) -> None:
        certain = step > 0 and track.ncc >= self.config.min_ncc
        visible = track.state is not TrackState.LOST
        track.still = certain and visible and self._motion.still(track.box, pyramid)
        touched = self._touches(track)
        # A hidden face's template would soon fit, and go along with, what hides it.
        hidden = touched and track.detected < self._detected
        if not track.still:
            track.predict(step)
        if hidden or not visible:
            track.slow_down(step)
            return
        if not track.still:
            x, y, track.ncc = match_template(pyramid, track.template, track.box)
            if track.ncc >= self.config.min_ncc:
                track.correct(x, y, 1.0, 0.0 if touched else self.config.velocity_gain, step)
            else:
                track.slow_down(step)
        if track.still or track.ncc >= self.config.min_ncc:
            track.seen = time

    def _touches(self, track: Track) -> bool:
        """Whether another face that is not lost may be in front of a track's, or behind it."""
        return any(
            iou(track.box, other.box) > 0
            for other in self._tracks
            if other is not track and other.state is not TrackState.LOST
        )

    def _forget_scene(self, time: float) -> None:
        """Drop the tracks of the last scene; a light that is switched on changes no face."""
        self._tracks = [track for track in self._tracks if track.id and track.seen == time]
        self._removed = []

    def _detect(self, gray: Gray, time: float) -> list[Detection] | None:
        """Return the detections of a frame, None where none is due.

        Of a new scene the picture and all windows are looked at. Afterwards a window at a time
        is, and the whole picture in that frame only if a face may be off its template.
        """
        interval = self.config.detect_interval_s / max(self.compute_budget, MIN_BUDGET) - 1e-3
        if not (time - self._detected >= interval or self._motion.cut):
            return None
        areas = windows(gray.shape[0], gray.shape[1])
        chosen = list(range(len(areas))) if self._motion.cut else self._window_due(areas, time)
        sure = all(track.seen == time for track in self._tracks if track.id)
        found: list[Detection] = []
        if len(chosen) != 1 or not sure or self._detected_whole < self._detected:
            self._detected_whole = time
            found += self._detector.detect(gray)
        if self._motion.cut:
            self._turn = time
        for index in chosen:
            self._looked[index] = time
            found += detect_window(self._detector.detect, gray, areas[index])
        self._detected = time
        return [one for one in suppress(found) if one.score >= self.config.keep_score]

    def _window_due(self, areas: Sequence[Area], time: float) -> list[int]:
        """Return the window to look at now, if any: in its turn, or where a face may be."""
        config, budget = self.config, max(self.compute_budget, MIN_BUDGET)
        oldest = sorted(range(len(areas)), key=self._looked.__getitem__)
        if time - self._turn >= config.fine_interval_s / budget - 1e-3:
            self._turn = time
            return oldest[:1]
        wait, lost = config.recheck * config.detect_interval_s / budget - 1e-3, TrackState.LOST
        seen = [t for t in self._tracks if t.state is not lost and time - t.detected >= wait]
        unsure = self._doubtful + [(track.x, track.y) for track in seen]
        for index in oldest:
            left, top, width, height = areas[index]
            near = any(has_inside((width, height), (x - left, y - top)) for x, y in unsure)
            if near and time - self._looked[index] >= wait:
                return [index]
        return []

    def _associate(
        self, detections: list[Detection], pyramid: Pyramid, step: float, time: float
    ) -> list[Detection]:
        """Update tracks by their detections; return the good detections that have no track."""
        config = self.config

        def is_same(track: Track, found: Detection) -> bool:
            if not track.id or (track.state is not TrackState.LOST and track.seen == time):
                return True
            return similarity(pyramid, track.appearance, found.box) >= config.same_similarity

        good = [found for found in detections if found.score >= config.start_score]
        weak = [found for found in detections if found.score < config.start_score]
        pairs, left, unmatched = associate(self._tracks, good, config.min_iou, is_same)
        active = [track for track in left if track.state is not TrackState.LOST]
        more, _, doubtful = associate(active, weak, config.min_iou, is_same)
        self._doubtful = [center(found.box) for found in doubtful]
        matched = {id(track) for track, _ in (*pairs, *more)}
        # A face too small for the whole picture is seen again when its window is looked at.
        wait = 2 * config.recheck * config.detect_interval_s
        self._tracks = [
            t for t in self._tracks if t.id or id(t) in matched or time - t.detected <= wait
        ]
        for track, found in (*pairs, *more):
            self._correct(track, found, pyramid, step, time)
        return unmatched

    def _correct(
        self, track: Track, found: Detection, pyramid: Pyramid, step: float, time: float
    ) -> None:
        gain = 1.0 if track.seen < time else self.config.position_gain
        left, top, width, height = found.box
        track.correct(left + width / 2, top + height / 2, gain, 0.0, step)
        track.width *= (width / track.width) ** gain
        track.height *= (height / track.height) ** gain
        track.set_landmarks(found)
        track.score, track.detected, track.seen = found.score, time, time
        if track.id:
            track.state = TrackState.CONFIRMED
        track.hits += 1
        track.template = template(pyramid, track.box)
        if not self._touches(track):
            track.appearance = appearance(pyramid, track.box)

    def _start(self, detections: list[Detection], pyramid: Pyramid, time: float) -> None:
        config = self.config
        for found in detections:
            seen = [track for track in self._tracks if track.seen == time]
            if not any(ios(track.box, found.box) > DUPLICATE_IOS for track in seen):
                self._tracks.append(Track.of(found, pyramid, time))
        for track in self._tracks:
            sure = track.score >= config.confirm_score or track.hits >= config.confirm_hits
            confirmed = sum(t.state is TrackState.CONFIRMED for t in self._tracks)
            if sure and not track.id and confirmed < self.max_faces:
                self._name(track, pyramid, time)

    def _name(self, track: Track, pyramid: Pyramid, time: float) -> None:
        """Confirm a new track under the id of a lost one that looks like it, else a new id."""
        lost = [t for t in self._tracks if t.id and t.seen < time]
        config = self.config
        before = reidentify(
            track.box, lost, pyramid, time, config.same_similarity, config.min_iou
        ) or reidentify(track.box, (*lost, *self._removed), pyramid, time, config.reid_similarity)
        emerging = track.hits < config.reid_hits and self._touches(track)
        if before is None and emerging and any(reachable(t, track.box, time) for t in lost):
            return  # half hidden still: it may turn out to be the lost one
        track.state = TrackState.CONFIRMED
        if before is None:
            self._ids += 1
            track.id = self._ids
        else:
            track.id = before.id
            self._tracks = [t for t in self._tracks if t is not before]
            self._removed = [t for t in self._removed if t is not before]

    def _settle(self, pyramid: Pyramid, time: float) -> list[Track]:
        """Return the confirmed tracks, after those that are seen no more were lost or removed."""
        config, kept = self.config, []
        for track in self._tracks:
            unseen = time - track.seen > config.coast_s or time - track.detected > config.hold_s
            if track.id and unseen:
                track.state = TrackState.LOST
            inside = has_inside((pyramid.width, pyramid.height), (track.x, track.y))
            if inside and time - track.detected <= config.max_lost_s:
                kept.append(track)
            elif track.id:
                track.state = TrackState.REMOVED
                self._removed.append(track)
        self._tracks = kept
        self._removed = [t for t in self._removed if time - t.seen <= config.memory_s]
        del self._removed[:-MAX_REMEMBERED]
        reported: list[Track] = []
        # Of two tracks on one face the one that was detected last, then the older.
        for track in sorted(self._tracks, key=lambda t: (-t.detected, t.id)):
            if track.state is TrackState.CONFIRMED:
                if any(iou(track.box, other.box) > DUPLICATE_IOU for other in reported):
                    track.state = TrackState.LOST
                else:
                    reported.append(track)
        return sorted(reported, key=lambda track: track.id)
