"""Session aggregate: series, faces and changes, in memory that does not grow with the length."""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import numpy.typing as npt

from mien.classification.prediction import UNCERTAIN
from mien.report.reader import milliseconds, moment, sentence
from mien.report.transitions import Transition, TransitionDetector

MAX_BINS = 2000  # of a series; beyond, two become one
MIN_BIN_S = 0.25  # s, the width of a bin at the start
MAX_HOLD_S = 2.0  # s that one reading may stand for: not for a pause of the source
MAX_PARTS_WITH_CLOCK = 1000  # recordings in one file whose beginning is kept
PART_GAP_S = 1.0  # s between two recordings in one file
MAX_FACES = 48  # with a series of their own
MAX_TRANSITIONS = 200  # the longest-lasting are kept
MAX_EVENTS = 200
Key = tuple[int, int]  # which recording of the file, the face's id


@dataclass
class EmotionSeries:
    """What one face, or all together, showed over time; per bin seconds and weighted sums."""

    sums: npt.NDArray[np.float64]  # [MAX_BINS, K] probability times s
    seconds: npt.NDArray[np.float64]  # [MAX_BINS] s of readings
    emotions: dict[str, float] = field(default_factory=dict)  # s by emotion
    first: float = 0.0  # s
    last: float = 0.0  # s

    def halve(self) -> None:
        """Make one bin of two."""
        half = MAX_BINS // 2
        for values in (self.sums, self.seconds):
            values[:half] = values[0::2] + values[1::2]
            values[half:] = 0

    def widen(self, columns: int) -> None:
        """Have a column for each label, also for one that came late."""
        missing = columns - self.sums.shape[1]
        if missing > 0:
            self.sums = np.hstack([self.sums, np.zeros((MAX_BINS, missing))])

    @property
    def total(self) -> float:
        """Seconds of readings."""
        return float(self.seconds.sum())

    def mean(self, bins: int, times: int = 1) -> npt.NDArray[np.float64]:
        """Return mean probabilities [bins / times, K] of `times` bins each; NaN without a face."""
        count = -(-bins // times)
        columns = self.sums.shape[1]
        sums = self.sums[: count * times].reshape(count, times, columns).sum(axis=1)
        seconds = self.seconds[: count * times].reshape(count, times).sum(axis=1)
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.where(seconds[:, None] > 0, sums / seconds[:, None], np.nan)


@dataclass(frozen=True)
class Event:
    """The camera was lost, or is back."""

    time: float  # s
    state: str
    why: str


@dataclass
class Session:
    """A whole recording."""

    labels: list[str] = field(default_factory=list)
    width: float = MIN_BIN_S  # s of a bin
    whole: EmotionSeries = field(default_factory=lambda: _series(0))
    faces: dict[Key, EmotionSeries] = field(default_factory=dict)
    others: int = 0  # faces that were seen too briefly to be kept
    parts: int = 1  # recordings in the file, one after the other
    frames: int = 0
    frames_with_face: int = 0
    readings: int = 0
    most_faces: int = 0  # in one frame
    length: float = 0.0  # s
    work_ms: float = 0.0  # all frames together
    latency_ms: float = 0.0  # all together
    latencies: int = 0
    worst_ms: float = 0.0
    # Wall clock at a time of the session: of the first line of each recording that states it.
    clocks: list[tuple[float, datetime]] = field(default_factory=list)
    ended: datetime | None = None  # wall clock of the last line that states it
    events: list[Event] = field(default_factory=list)
    moments: list[Transition] = field(default_factory=list)
    changes: int = 0  # moments altogether

    @property
    def bins(self) -> int:
        """How many bins hold the recording."""
        return max(1, min(MAX_BINS, math.ceil(self.length / self.width - 1e-6)))

    def clock(self, time: float) -> datetime | None:
        """Return the wall clock at a time in s, None where the recording does not state it."""
        before = [known for known in self.clocks if known[0] <= time + 1e-6]
        return before[-1][1] + timedelta(seconds=time - before[-1][0]) if before else None

    def name(self, key: Key) -> str:
        """Return what to call a face."""
        return f"face {key[1]}" if self.parts == 1 else f"recording {key[0]}, face {key[1]}"


def collect(records: Iterable[dict[str, Any]]) -> Session:
    """Return the session in the objects of its lines."""
    collector = _Collector()
    for record in records:
        collector.add(record)
    return collector.finish()


class _Collector:
    def __init__(self) -> None:
        self._session = Session()
        self._columns: dict[str, int] = {}
        self._held: tuple[float, Sequence[dict[str, Any]]] | None = None  # waits for its end
        self._raw = -1.0  # s, the last time as it was written
        self._offset = 0.0
        self._interval = 0.04
        self._followers: dict[Key | None, TransitionDetector] = {}
        self._kept: list[tuple[float, int, Transition]] = []  # a heap by how long it lasted

    def add(self, record: dict[str, Any]) -> None:
        session = self._session
        raw = float(record["time"])
        if raw < self._raw - 1e-6:  # another recording was appended
            self._spend(self._interval)
            self._end_faces()
            session.parts += 1
            self._offset = session.length + PART_GAP_S
        now = raw + self._offset
        self._raw = raw
        at = moment(record.get("at"))
        if at is not None:
            session.ended = at
            if len(session.clocks) < session.parts <= MAX_PARTS_WITH_CLOCK:
                session.clocks.append((now, at))
        if "event" in record:
            self._spend(now - self._held[0] if self._held else 0.0)
            if len(session.events) < MAX_EVENTS:
                session.events.append(Event(now, record["event"], sentence(record.get("why"))))
            session.length = max(session.length, now)
            return
        if self._held is not None:
            self._interval = max(0.0, now - self._held[0])
            self._spend(self._interval)
        faces = record["faces"]
        self._held = (now, faces)
        session.frames += 1
        session.frames_with_face += bool(faces)
        session.readings += len(faces)
        session.most_faces = max(session.most_faces, len(faces))
        session.length = max(session.length, now)
        ms = record.get("ms")
        session.work_ms += (milliseconds(ms.get("total")) if isinstance(ms, dict) else None) or 0.0
        latency = milliseconds(record.get("latency_ms"))
        if latency is not None:
            session.latency_ms += latency
            session.latencies += 1
            session.worst_ms = max(session.worst_ms, latency)

    def finish(self) -> Session:
        session = self._session
        end = min(self._interval, MAX_HOLD_S) if self._held else 0.0
        self._spend(self._interval)
        session.length += end
        self._end_faces()
        session.moments = sorted((m for _, _, m in self._kept), key=lambda m: m.time)
        session.labels = list(self._columns)
        for series in (session.whole, *session.faces.values()):
            series.widen(len(session.labels))
        return session

    def _spend(self, seconds: float) -> None:
        """Count the frame that is held for the time until the next."""
        if self._held is None:
            return
        start, faces = self._held
        self._held = None
        seconds = min(seconds, MAX_HOLD_S)
        if not faces or seconds <= 0:
            return
        self._make_room(start + seconds)
        part = self._session.parts
        for index, face in enumerate(faces):
            column = self._sums(face["probabilities"])
            emotion = face["emotion"]
            self._put(self._session.whole, start, seconds, column, emotion)
            id = face.get("id")
            key = (part, id) if isinstance(id, int) else None
            if key is not None:
                self._put(self._face(key, start), start, seconds, column, emotion)
            if (key is not None or index == 0) and emotion != UNCERTAIN:
                follower = self._followers.setdefault(key, TransitionDetector())
                self._keep(follower.see(emotion, start, key))
        if len(self._followers) > 4 * MAX_FACES:
            self._end_faces(before=start - 60)

    def _put(
        self,
        series: EmotionSeries,
        start: float,
        seconds: float,
        column: npt.NDArray[np.float64],
        emotion: str,
    ) -> None:
        series.widen(len(column))
        width, end = self._session.width, start + seconds
        for index in range(int(start / width), min(MAX_BINS, int(end / width) + 1)):
            piece = min(end, (index + 1) * width) - max(start, index * width)
            if piece > 0:
                series.sums[index, : len(column)] += column * piece
                series.seconds[index] += piece
        series.emotions[emotion] = series.emotions.get(emotion, 0.0) + seconds
        series.last = end

    def _sums(self, probabilities: dict[str, float]) -> npt.NDArray[np.float64]:
        if probabilities.keys() == self._columns.keys():
            return np.fromiter(map(probabilities.__getitem__, self._columns), np.float64)
        for label in probabilities:  # of the first face, or of another model
            self._columns.setdefault(label, len(self._columns))
        return np.array([probabilities.get(label, 0.0) for label in self._columns])

    def _make_room(self, end: float) -> None:
        session = self._session
        while end >= MAX_BINS * session.width:
            for series in (session.whole, *session.faces.values()):
                series.halve()
            session.width *= 2

    def _face(self, key: Key, now: float) -> EmotionSeries:
        faces = self._session.faces
        if key not in faces:
            if len(faces) >= MAX_FACES:
                # Who was there most briefly goes, the newest excepted: they only begin.
                away = [k for k, series in faces.items() if now - series.last > 10.0] or list(faces)
                del faces[min(away, key=lambda k: faces[k].total)]
                self._session.others += 1
            faces[key] = _series(len(self._columns))
            faces[key].first = now
        return faces[key]

    def _end_faces(self, before: float = float("inf")) -> None:
        for key, follower in list(self._followers.items()):
            if follower.seen < before:
                self._keep(follower.end(key))
                del self._followers[key]

    def _keep(self, moment: Transition | None) -> None:
        if moment is None:
            return
        self._session.changes += 1
        heapq.heappush(self._kept, (moment.lasted, self._session.changes, moment))
        if len(self._kept) > MAX_TRANSITIONS:
            heapq.heappop(self._kept)


def _series(columns: int) -> EmotionSeries:
    return EmotionSeries(np.zeros((MAX_BINS, columns)), np.zeros(MAX_BINS))
