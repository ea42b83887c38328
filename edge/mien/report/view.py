"""View model of a session report: charts, shares, timelines and table rows."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import numpy.typing as npt

from mien.classification.prediction import UNCERTAIN
from mien.console import format_duration
from mien.outputs.colors import colors
from mien.report.aggregate import MAX_BINS, EmotionSeries, Key, Session

COLUMNS = 600  # of the charts
MAX_TICKS = 8
DAY_S = 86_400
# Steps between ticks, from a second over round parts of an hour and a day to a month.
TICK_STEPS_S = (
    *(1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800),
    *(3600, 7200, 10_800, 21_600, 43_200, DAY_S, 2 * DAY_S, 7 * DAY_S, 14 * DAY_S, 30 * DAY_S),
)
SHOWN_FACES = 12  # with a lane of their own, by how long they were seen
SHOWN_MOMENTS = 60


@dataclass(frozen=True)
class FaceTimeline:
    """One face over time."""

    name: str
    seconds: float  # s seen
    mean: npt.NDArray[np.float64]  # [columns, K]; NaN where it was not there
    shares: dict[str, float]  # 0 to 1, by emotion


@dataclass(frozen=True)
class TableRow:
    """One change, in words."""

    time: float  # s
    at: str  # date and time of day, "" where the recording does not state it
    face: str
    words: str


@dataclass(frozen=True)
class View:
    """Everything a report shows."""

    title: str
    facts: list[tuple[str, str]]
    labels: list[str]
    colors: dict[str, str]  # "#rrggbb", also of "uncertain"
    start: datetime | None  # wall clock at 0 s; None where it is unknown or there are several
    length: float  # s
    step: float  # s of a column
    mean: npt.NDArray[np.float64]  # [columns, K], all faces together
    shares: dict[str, float]
    lanes: list[FaceTimeline]
    gaps: list[tuple[float, float]]  # s, when the camera was lost or paused
    lines: list[TableRow]
    notes: list[str]


def view_of(session: Session, title: str, broken: int) -> View:
    """Return what to show."""
    times = next(t for t in (1, 2, 4, 5, 8, 10, MAX_BINS) if -(-session.bins // t) <= COLUMNS)
    ranked = sorted(session.faces.items(), key=lambda item: -item[1].total)[:SHOWN_FACES]
    ranked.sort(key=lambda item: (item[1].first, item[0]))
    gaps = list(_gaps(session))
    return View(
        title,
        _facts(session),
        session.labels,
        colors(session.labels),
        session.clock(0.0) if session.parts == 1 else None,
        session.length,
        session.width * times,
        session.whole.mean(session.bins, times),
        shares(session.whole),
        [
            FaceTimeline(
                session.name(key),
                series.total,
                series.mean(session.bins, times),
                shares(series),
            )
            for key, series in ranked
        ],
        gaps,
        list(_lines(session)),
        list(_notes(session, len(ranked), broken)),
    )


def shares(series: EmotionSeries) -> dict[str, float]:
    """Return the share of the time per emotion, the largest first; their sum is 1 or 0."""
    whole = sum(series.emotions.values())
    ordered = sorted(series.emotions.items(), key=lambda item: -item[1])
    return {emotion: seconds / whole for emotion, seconds in ordered if whole}


def ticks(
    length: float, start: datetime | None = None, most: int = MAX_TICKS
) -> list[tuple[float, str]]:
    """Return times in s and their labels for a scale that ends at `length`.

    Without `start` they are round times of the session; with it, the wall clock at 0 s, round times
    of day and, from a day on, dates.
    """
    step = next((s for s in TICK_STEPS_S if length / s <= most), None)
    if step is None:
        step = DAY_S * math.ceil(length / DAY_S / most)
    if start is None:
        return [(float(t), format_duration(t)) for t in range(0, int(length) + 1, step)]
    midnight = start.replace(hour=0, minute=0, second=0, microsecond=0)
    first = -(start - midnight).total_seconds() % step
    marks = []
    for index in range(int((length - first) // step) + 1 if length >= first else 0):
        time = first + index * step
        moment = start + timedelta(seconds=time)
        day = f"{moment.day} {moment:%b}"
        clock = f"{moment:%H:%M:%S}" if step % 60 else f"{moment:%H:%M}"
        marks.append((time, day if step >= DAY_S or clock.startswith("00:00") else clock))
    return marks


def runs(mean: npt.NDArray[np.float64]) -> Iterator[tuple[int, int]]:
    """Yield the stretches [start, end) of columns in which there was a face."""
    there = ~np.isnan(mean[:, 0]) if mean.shape[1] else np.zeros(len(mean), bool)
    edges = np.flatnonzero(np.diff(np.concatenate([[False], there, [False]]).astype(int)))
    for start, end in zip(edges[0::2], edges[1::2], strict=True):
        yield int(start), int(end)


def stretches(
    mean: npt.NDArray[np.float64], labels: Sequence[str]
) -> Iterator[tuple[int, int, str]]:
    """Yield the stretches [start, end) of columns with the same likeliest label."""
    for start, end in runs(mean):
        best = mean[start:end].argmax(axis=1)
        edges = [0, *(int(edge) + 1 for edge in np.flatnonzero(np.diff(best))), end - start]
        for a, b in itertools.pairwise(edges):
            yield start + a, start + b, labels[int(best[a])]


def _facts(session: Session) -> list[tuple[str, str]]:
    frames = session.frames
    share = session.frames_with_face / frames if frames else 0.0
    rate = frames / session.length if session.length else 0.0
    facts = [
        ("Length", format_duration(session.length)),
        ("Frames", f"{frames:,}".replace(",", " ")),
        ("Frames/s", f"{rate:.1f}"),
        ("Frames with a face", f"{share:.0%}".replace("%", " %")),
        ("Faces at once", str(session.most_faces)),
        ("Work per frame", f"{session.work_ms / frames:.1f} ms" if frames else "-"),
    ]
    if session.faces:
        people = len(session.faces) + session.others
        facts.insert(3, ("People", f"{people:,}".replace(",", " ")))
    facts.insert(4 if session.faces else 3, ("Readings", f"{session.readings:,}".replace(",", " ")))
    if session.latencies:
        mean = session.latency_ms / session.latencies
        facts.append(("Latency, mean and worst", f"{mean:.0f} / {session.worst_ms:.0f} ms"))
    if session.parts > 1:
        facts.insert(1, ("Recordings", str(session.parts)))
    if session.clocks and session.ended is not None:
        facts.insert(0, ("Recorded", _span(session.clocks[0][1], session.ended)))
    return facts


def _span(first: datetime, last: datetime) -> str:
    """Return "2026-11-30 14:00 to 15:30", with the second date where it is another."""
    end = f"{last:%H:%M}" if last.date() == first.date() else f"{last:%Y-%m-%d %H:%M}"
    return f"{first:%Y-%m-%d %H:%M} to {end}"


def _at(session: Session, time: float) -> str:
    found = session.clock(time)
    return "" if found is None else f"{found:%Y-%m-%d %H:%M:%S}"


def _gaps(session: Session) -> Iterator[tuple[float, float]]:
    began: float | None = None
    for event in session.events:
        if event.state in ("lost", "paused") and began is None:
            began = event.time
        elif event.state == "back" and began is not None:
            yield began, event.time
            began = None
    if began is not None:
        yield began, session.length


def _lines(session: Session) -> Iterator[TableRow]:
    longest = sorted(session.moments, key=lambda moment: -moment.lasted)[:SHOWN_MOMENTS]
    lines = [
        TableRow(
            moment.time,
            _at(session, moment.time),
            session.name(moment.face) if moment.face is not None else "largest face",
            f"{moment.before} to {moment.after}, for {_lasting(moment.lasted)}",
        )
        for moment in longest
    ]
    lines += [
        TableRow(
            event.time,
            _at(session, event.time),
            "camera",
            event.state + (f": {event.why}" if event.why else ""),
        )
        for event in session.events
    ]
    return iter(sorted(lines, key=lambda line: line.time))


def _lasting(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds < 60 else f"{format_duration(seconds)} min"


def _notes(session: Session, shown: int, broken: int) -> Iterator[str]:
    if session.changes > min(len(session.moments), SHOWN_MOMENTS):
        yield (
            f"Of {session.changes} changes the {min(len(session.moments), SHOWN_MOMENTS)} that "
            "lasted longest are listed."
        )
    rest = len(session.faces) + session.others - shown
    if rest > 0:
        yield f"{rest} more faces were seen more briefly; they count in the whole."
    if len(session.faces) + session.others > session.most_faces:
        yield "A person who leaves and comes back later may be counted again."
    if session.frames and not session.faces and session.readings:
        yield "Faces were not followed in this recording, so it shows all of them together."
    if session.whole.emotions.get(UNCERTAIN):
        yield "A reading under the model's threshold counts as uncertain in the shares."
    if broken:
        yield f"{broken} broken line{'s' if broken > 1 else ''} left out."


def rows(session: Session) -> Iterator[list[str]]:
    """Yield the report as a table: a row per bin in which a face was seen, all faces first."""
    labels = [f"p_{name}" for name in session.labels]
    yield ["start", "end", "face", "seconds", "emotion", *labels, "at"]
    named: list[tuple[Key | None, EmotionSeries]] = [(None, session.whole), *session.faces.items()]
    for key, series in named:
        mean = series.mean(session.bins)
        for index in np.flatnonzero(series.seconds[: session.bins] > 0):
            start = index * session.width
            yield [
                f"{start:.2f}",
                f"{start + session.width:.2f}",
                "all" if key is None else session.name(key),
                f"{series.seconds[index]:.3f}",
                session.labels[int(mean[index].argmax())],
                *(f"{value:.4f}" for value in mean[index]),
                _at(session, start),
            ]
