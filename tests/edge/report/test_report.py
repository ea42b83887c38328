"""mien report: sessions as JSONL to HTML and CSV."""

from __future__ import annotations

import csv
import html.parser
import json
import os
import re
import tracemalloc
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from chromium import browsing
from made import LABELS, is_one_sentence
from mien.report.aggregate import MAX_BINS, MAX_FACES, MAX_TRANSITIONS, collect
from mien.report.reader import MAX_LABELS, _parse
from mien.report.view import TICK_STEPS_S, shares, ticks, view_of
from running import CLIP

Mien = Callable[..., tuple[int, str, str]]


def spec(emotion: str, id: int | None = 1, sure: float = 0.9) -> dict[str, Any]:
    rest = (1 - sure) / (len(LABELS) - 1)
    return {
        "id": id,
        "box": [10, 10, 50, 50],
        "emotion": emotion if sure > 0.4 else "uncertain",
        "confidence": sure,
        "probabilities": {label: sure if label == emotion else rest for label in LABELS},
    }


def line(index: int, time: float, *faces: dict[str, Any]) -> dict[str, Any]:
    ms = {"detect": 4.0, "classify": 1.0, "total": 5.0}
    return {"frame": index, "time": time, "faces": list(faces), "ms": ms, "latency_ms": 40.0}


def course(seconds: float, fps: float = 10) -> Iterator[dict[str, Any]]:
    """One who is happy and then sad, another who comes later."""
    for index in range(int(seconds * fps)):
        time = index / fps
        faces = [spec("happy" if time < seconds / 2 else "sad", 1)]
        if time >= seconds / 4:
            faces.append(spec("neutral", 2))
        yield line(index, time, *faces)


def write(path: Path, records: Iterator[dict[str, Any]] | list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return path


class Checker(html.parser.HTMLParser):
    """Whether tags are closed, and what is fetched."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.fetched: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.fetched += [str(v) for k, v in attrs if k in ("src", "href", "xlink:href")]
        if tag not in ("meta", "br", "line", "rect", "path", "img", "link"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in ("line", "rect", "path"):
            assert self.open.pop() == tag


def test_a_page_and_a_table(mien: Mien, tmp_path: Path) -> None:
    session = write(tmp_path / "hour & <b>.jsonl", course(60))
    code, out, err = mien("report", session)
    assert (code, err) == (0, "")
    page = tmp_path / "hour & <b>.report.html"
    assert out.splitlines() == [str(page)]
    text = page.read_text()
    checker = Checker()
    checker.feed(text)
    assert checker.open == []
    assert checker.fetched == []
    assert "<script" not in text
    assert not re.search(r"https?:|@import|url\((?!#)", text)
    assert "hour &amp; &lt;b&gt;" in text
    assert "happy to sad, for 29.9 s" in text
    code, out, err = mien("report", session, "--format", "csv", "--out", tmp_path)
    table = list(csv.DictReader((tmp_path / "hour & <b>.report.csv").open()))
    assert [row["face"] for row in table if row["start"] == "30.00"] == ["all", "face 1", "face 2"]
    of_one = [row for row in table if row["face"] == "face 1"]
    assert {row["emotion"] for row in of_one if float(row["end"]) <= 30} == {"happy"}
    assert {row["emotion"] for row in of_one if float(row["start"]) >= 30} == {"sad"}
    assert float(of_one[0]["p_happy"]) == pytest.approx(0.9)
    assert sum(float(row["seconds"]) for row in of_one) == pytest.approx(60, abs=0.01)
    assert [p.name for p in tmp_path.iterdir() if p.name.startswith(".")] == []


def test_shares_changes_and_who_was_there() -> None:
    session = collect(course(60))
    assert shares(session.whole) == pytest.approx(
        {"neutral": 45 / 105, "happy": 30 / 105, "sad": 30 / 105}
    )
    assert shares(session.faces[1, 1]) == pytest.approx({"happy": 0.5, "sad": 0.5})
    assert session.faces[1, 2].total == pytest.approx(45)
    assert session.length == pytest.approx(60)
    assert session.frames == 600
    (moment,) = session.moments
    assert (moment.time, moment.face, moment.before, moment.after) == (30, (1, 1), "happy", "sad")
    mean = session.whole.mean(session.bins)
    assert mean.sum(axis=1) == pytest.approx(1)


def test_flicker_and_uncertainty_are_no_changes() -> None:
    frames = [
        line(i, i / 10, spec("sad" if i % 8 == 0 else "happy", 1, 0.3 if i % 5 == 0 else 0.9))
        for i in range(200)
    ]
    assert collect(frames).moments == []


def test_a_slow_source_and_a_pause_of_it() -> None:
    session = collect([line(i, float(i), spec("fear")) for i in range(10)])  # pictures
    assert session.whole.total == pytest.approx(10)
    mean = session.whole.mean(session.bins)
    assert not (session.whole.seconds[: session.bins - 1] == 0).any()
    assert mean[:, LABELS.index("fear")] == pytest.approx(0.9)
    paused = collect([line(0, 0.0, spec("fear")), line(1, 100.0, spec("fear")), line(2, 100.1)])
    assert paused.whole.total == pytest.approx(2.1)  # a reading stands for two seconds at most


def test_a_day_stays_small() -> None:
    """Long times and many passers-by; fewer frames than a day has, the bins are the same."""

    def day() -> Iterator[dict[str, Any]]:
        for index in range(4_000):
            time = index * 86_400 / 4_000
            emotion = LABELS[index // 60 % 7]
            yield line(index, time, spec(emotion, 1), spec("happy", 2 + index // 10))

    tracemalloc.start()
    session = collect(day())
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 40e6
    assert session.bins <= MAX_BINS
    assert session.length == pytest.approx(86_400, rel=1e-3)
    assert len(session.faces) == MAX_FACES
    assert (1, 1) in session.faces  # who was there all the time is kept
    assert session.others == 401 - MAX_FACES
    assert session.whole.total == pytest.approx(2 * 2.0 * 4_000, rel=1e-3)
    assert len(session.moments) <= MAX_TRANSITIONS
    assert session.changes == pytest.approx(4_000 // 60, abs=2)
    view = view_of(session, "day", 0)
    assert len(view.mean) <= 600
    assert len(view.lanes) == 12


def test_losses_and_recordings_one_after_the_other() -> None:
    records = [
        *course(10),
        {"event": "lost", "time": 10.0, "why": "the cable"},
        {"event": "back", "time": 14.0, "why": "there"},
        *(line(i, 14 + i / 10, spec("happy", 3)) for i in range(20)),
        *course(5),  # `>> all.jsonl`
    ]
    session = collect(records)
    assert session.parts == 2
    assert session.length == pytest.approx(16 + 1 + 5, abs=0.3)
    assert set(session.faces) == {(1, 1), (1, 2), (1, 3), (2, 1), (2, 2)}
    view = view_of(session, "all", 0)
    assert view.gaps == [(10.0, 14.0)]
    assert [row.words for row in view.lines if row.face == "camera"] == [
        "lost: the cable",
        "back: there",
    ]
    assert "recording 2, face 1" in {lane.name for lane in view.lanes}


def test_a_recording_without_ids_shows_all_together(mien: Mien, tmp_path: Path) -> None:
    records = list(course(20))
    for record in records:
        for face in record["faces"]:
            del face["id"]
        del record["latency_ms"]
    path = write(tmp_path / "old.jsonl", records)
    assert mien("report", path)[0] == 0
    text = (tmp_path / "old.report.html").read_text()
    assert "Face by face" not in text
    assert "not followed" in text
    assert "happy to sad" in text  # the largest face


def test_broken_lines_are_left_out(mien: Mien, tmp_path: Path) -> None:
    path = write(tmp_path / "cut.jsonl", course(4))
    with path.open("a") as file:
        file.write('\n{"frame": 41, "time": NaN, "faces": []}\n\x00\x00\n{"frame": 42, "ti')
    assert mien("report", path)[0] == 0
    assert "3 broken lines left out" in (tmp_path / "cut.report.html").read_text()


SENSELESS = {
    "late": {"time": 1e10},
    "later": {"time": 10**400},
    "before": {"time": -1e308},
    "true": {"time": True},
    "a surrogate as emotion": {"faces": [{**spec("sad"), "emotion": "\ud800"}]},
    "an escape as label": {"faces": [{**spec("sad"), "probabilities": {"\x1b[2J": 0.5}}]},
    "more than certain": {"faces": [{**spec("sad"), "probabilities": {"sad": 1e308}}]},
    "an id of many digits": {"faces": [{**spec("sad"), "id": 10**300}]},
    "30,000 labels": {
        "faces": [{**spec("sad"), "probabilities": {f"a{i}": 0 for i in range(30_000)}}]
    },
    "a line without an end": {"faces": [], "pad": "x" * 2_000_000},
}


@pytest.mark.parametrize("case", SENSELESS)
def test_a_line_that_makes_no_sense_is_left_out(case: str, mien: Mien, tmp_path: Path) -> None:
    bad = json.dumps({**line(5, 2.0), **SENSELESS[case]})
    path = tmp_path / "odd.jsonl"
    good = [json.dumps(record) for record in course(4)]
    path.write_text("\n".join([*good[:20], bad, *good[20:]]) + "\n")
    assert mien("report", path) == (0, f"{tmp_path / 'odd.report.html'}\n", "")
    text = (tmp_path / "odd.report.html").read_text()
    assert re.search("[1-9] broken lines? left out", text)
    assert "<dt>Length</dt><dd>0:04</dd>" in text


def test_deep_nesting_and_many_labels_over_many_lines_are_left_out() -> None:
    records = list(course(4))
    lines = [json.dumps(record).encode() for record in records] + [b"[" * 100_000]
    lines += [
        json.dumps(line(50 + i, 4.0, {**spec("sad"), "probabilities": {f"a{i}": 0.5}})).encode()
        for i in range(200)
    ]
    broken, labels = 0, set[str]()
    for content in lines:
        broken += _parse(content, labels) is None
    assert broken == 1 + 200 - (MAX_LABELS - len(LABELS))


def test_a_jump_of_thirty_years_ends_quickly() -> None:
    records = [*course(4), *(line(i, 9e8 + i / 10, spec("sad")) for i in range(40))]
    session = collect(records)
    assert session.whole.total == pytest.approx(3.9 + 2 + 2.9 + 2 + 4)
    assert session.bins <= MAX_BINS


def test_times_that_make_no_sense_beside_good_ones_are_passed_over() -> None:
    record = {**line(0, 0.0, spec("sad")), "latency_ms": float("inf"), "ms": {"total": -1e300}}
    session = collect([record, {**line(1, 0.1), "at": 5}, {**line(2, 0.2), "at": "yesterday"}])
    assert (session.latencies, session.clocks) == (2, [])
    assert session.work_ms == pytest.approx(10.0)


def dated(seconds: float, start: datetime) -> Iterator[dict[str, Any]]:
    for record in course(seconds, 2):
        yield {**record, "at": (start + timedelta(seconds=record["time"])).isoformat()}


def test_a_report_shows_dates_and_round_times_of_day(mien: Mien, tmp_path: Path) -> None:
    start = datetime(2026, 11, 30, 23, 40, 12, tzinfo=timezone.utc)
    path = write(tmp_path / "night.jsonl", dated(3000, start))
    assert mien("report", path, "--format", "html", "--format", "csv")[0] == 0
    text = (tmp_path / "night.report.html").read_text()
    assert "<dd>2026-11-30 23:40 to 2026-12-01 00:30</dd>" in text
    assert "<td>2026-12-01 00:05:12</td>" in text  # from happy to sad after 25 minutes
    marks = re.findall(r'<text x="([0-9.]+)"[^>]*>([^<]+)</text>', text)[:5]
    assert [mark for _, mark in marks] == ["23:50", "1 Dec", "00:10", "00:20", "00:30"]
    assert float(marks[0][0]) == pytest.approx(1000 * 588 / 3000, abs=0.1)
    rows = list(csv.DictReader((tmp_path / "night.report.csv").open()))
    assert rows[0]["at"] == "2026-11-30 23:40:12"


@pytest.mark.parametrize(
    ("length", "count"), [(0.5, 1), (7, 8), (59, 6), (3600, 7), (86_400 * 200, 7), (9e8, 8)]
)
def test_ticks_stand_at_round_times_and_are_few(length: float, count: int) -> None:
    marks = ticks(length)
    assert len(marks) == count
    assert all(time <= length for time, _ in marks)
    step = marks[1][0] - marks[0][0] if len(marks) > 1 else 0
    assert step in (0, *TICK_STEPS_S) or step % 86_400 == 0


def test_people_and_readings_are_counted_apart(mien: Mien, tmp_path: Path) -> None:
    assert mien("report", write(tmp_path / "a.jsonl", course(20)))[0] == 0
    text = (tmp_path / "a.report.html").read_text()
    assert "<dt>People</dt><dd>2</dd>" in text
    assert "<dt>Readings</dt><dd>350</dd>" in text
    assert "<dt>Faces at once</dt><dd>2</dd>" in text
    assert "counted again" not in text  # both were there at once


def test_one_who_may_be_counted_twice_is_named(mien: Mien, tmp_path: Path) -> None:
    records = [line(i, i / 10, spec("happy", 1 + i // 50)) for i in range(100)]
    assert mien("report", write(tmp_path / "a.jsonl", records))[0] == 0
    text = (tmp_path / "a.report.html").read_text()
    assert "<dt>People</dt><dd>2</dd>" in text
    assert "<dt>Faces at once</dt><dd>1</dd>" in text
    assert "A person who leaves and comes back later may be counted again." in text


def test_the_clock_leaves_out_the_date_of_a_recording_of_one_day(
    mien: Mien, tmp_path: Path
) -> None:
    start = datetime(2026, 11, 30, 12, 0, 0, tzinfo=timezone.utc)
    assert mien("report", write(tmp_path / "noon.jsonl", dated(3000, start)))[0] == 0
    assert "<td>12:25:00</td>" in (tmp_path / "noon.report.html").read_text()


def test_lost_stretches_are_hatched_everywhere_and_named(mien: Mien, tmp_path: Path) -> None:
    records = [
        *course(10),
        {"event": "lost", "time": 10.0, "why": "the \x1b[2Jcable"},
        {"event": "back", "time": 14.0, "why": "there"},
        *(line(i, 14 + i / 10, spec("happy", 1)) for i in range(20)),
    ]
    assert mien("report", write(tmp_path / "a.jsonl", records))[0] == 0
    text = (tmp_path / "a.report.html").read_text()
    assert text.count('<rect class="lost"') == 3  # all faces, and one lane each of two
    assert '<i class="lost"></i>camera lost or paused' in text
    assert "\x1b" not in text
    assert "camera lost" not in re.sub("<style>.*</style>", "", page_without_losses(mien, tmp_path))


def page_without_losses(mien: Mien, folder: Path) -> str:
    assert mien("report", write(folder / "b.jsonl", course(5)))[0] == 0
    return (folder / "b.report.html").read_text()


def test_no_face_at_all(mien: Mien, tmp_path: Path) -> None:
    path = write(tmp_path / "empty.jsonl", [line(i, i / 10) for i in range(50)])
    code, _, err = mien("report", path, *(w for k in ("html", "csv") for w in ("--format", k)))
    assert (code, err) == (0, "")
    assert "No face was seen" in (tmp_path / "empty.report.html").read_text()
    one = write(tmp_path / "one.jsonl", [line(0, 0.0, spec("sad"))])
    assert mien("report", one)[0] == 0


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "There is no"),
        (b"", "is not a session"),
        (b"hello\nthere\nyou\nand me\n", "is not a session"),
        (b"\x89PNG\r\n\x1a\n" + bytes(3_000_000), "is not a session"),
        (b'[1, 2]\n{"time": 1}\n{"time": "x", "faces": []}\n', "is not a session"),
        (b'{"event": "lost", "time": 0.0, "why": ""}\n', "holds no frame"),
    ],
)
def test_what_is_no_session_is_refused(
    content: bytes | None, words: str, mien: Mien, tmp_path: Path
) -> None:
    path = tmp_path / "some.jsonl"
    if content is not None:
        path.write_bytes(content)
    code, out, err = mien("report", path)
    assert (code, out) == (2, "")
    assert is_one_sentence(err, words)
    assert list(tmp_path.glob("*report*")) == []


def test_a_real_recording(mien: Mien, model_path: Path, tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    assert mien("run", CLIP, "--model", model_path, "--jsonl", path, "--max-frames", 60)[0] == 0
    assert mien("report", path)[0] == 0
    text = (tmp_path / "run.report.html").read_text()
    assert text.count('class="lane"') == 3  # two people and the scale
    with browsing() as browser:
        browser.open((tmp_path / "run.report.html").as_uri())
        browser.until("document.querySelector('svg path') !== null")
        browser.size(390, 844, phone=True)
        browser.until("document.documentElement.scrollWidth === 390")
        assert browser.complaints() == []


def test_a_session_whose_name_is_not_utf_8(mien: Mien, tmp_path: Path) -> None:
    path = write(tmp_path / os.fsdecode(b"o\xfe.jsonl"), course(4))
    code, _, err = mien("report", path)
    assert (code, err) == (0, "")
    page = tmp_path / os.fsdecode(b"o\xfe.report.html")
    assert r"<h1>o\udcfe.jsonl</h1>" in page.read_text()
