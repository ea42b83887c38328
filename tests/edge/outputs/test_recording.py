"""Recordings that go on: appended, rotated by day and size, bounded, thinned."""

from __future__ import annotations

import csv
import itertools
import os
import subprocess
import sys
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from mien.errors import UserError
from mien.outputs.csv import CsvOutput
from mien.outputs.recording import (
    Recording,
    Retention,
    Rotation,
    parse_retention,
    parse_size,
    wall_clock,
)
from results import LABELS
from running import CLIP, lines

Mien = Callable[..., tuple[int, str, str]]
LINE = b"0123456789" * 10 + b"\n"


class Clock:
    """A wall clock that a test sets."""

    def __init__(self, at: str) -> None:
        self.now = datetime.fromisoformat(at)

    def __call__(self) -> datetime:
        return self.now


def names(folder: Path) -> list[str]:
    return sorted(os.listdir(folder))  # noqa: PTH208


@pytest.mark.parametrize("cut", [b"", b'{"frame": 2, "ti'], ids=["whole", "after a power cut"])
def test_an_appended_file_keeps_what_it_holds_and_no_half_line(tmp_path: Path, cut: bytes) -> None:
    target = tmp_path / "faces.jsonl"
    target.write_bytes(b'{"frame": 1}\n' + cut)
    for number in (3, 4):
        recording = Recording(str(target), Rotation(append=True))
        recording.write(b'{"frame": %d}\n' % number)
        recording.close()
    assert [line["frame"] for line in lines(target)] == [1, 3, 4]


def test_a_file_without_any_line_feed_is_not_cut(tmp_path: Path) -> None:
    target = tmp_path / "note.txt"
    target.write_bytes(b"not a recording")
    recording = Recording(str(target), Rotation(append=True))
    recording.write(b"line\n")
    recording.close()
    assert target.read_bytes() == b"not a recording\nline\n"


def test_a_run_empties_and_with_append_goes_on(
    tmp_path: Path, model_path: Path, mien: Mien
) -> None:
    jsonl, table = tmp_path / "o.jsonl", tmp_path / "o.csv"
    words = (CLIP, "--model", model_path, "--max-frames", 2, "--jsonl", jsonl, "--csv", table)
    for _ in range(2):
        assert mien("run", *words)[0] == 0
    assert len(lines(jsonl)) == 2
    assert mien("run", *words, "--append")[0] == 0
    assert [line["frame"] for line in lines(jsonl)] == [0, 1, 0, 1]
    rows = list(csv.DictReader(table.open(newline="")))
    assert [row["frame"] for row in rows].count("0") == 2 * len(lines(jsonl)[0]["faces"])
    assert not any(row["frame"] == "frame" for row in rows)  # one header


def test_rows_are_not_appended_to_another_table(tmp_path: Path) -> None:
    target = tmp_path / "o.csv"
    target.write_text("name,age\nmia,3\n")
    with pytest.raises(UserError, match="has other columns"):
        CsvOutput(target, LABELS, append=True)
    assert target.read_text() == "name,age\nmia,3\n"


def test_a_day_has_a_file_of_its_own_and_a_clock_that_jumps_breaks_nothing(tmp_path: Path) -> None:
    clock = Clock("2026-03-01 23:59:59")
    recording = Recording(str(tmp_path / "f-{date}.jsonl"), Rotation(), now=clock)
    days = ["2026-03-01", "2026-03-02", "1970-01-01", "2026-03-02", "2099-01-01", "2026-03-03"]
    for number, day in enumerate(days):
        clock.now = datetime.fromisoformat(f"{day} 00:00:01")
        recording.write(b"%d\n" % number)
    recording.close()
    assert {name: (tmp_path / name).read_text() for name in names(tmp_path)} == {
        "f-1970-01-01.jsonl": "2\n",
        "f-2026-03-01.jsonl": "0\n",
        "f-2026-03-02.jsonl": "1\n3\n",
        "f-2026-03-03.jsonl": "5\n",
        "f-2099-01-01.jsonl": "4\n",
    }


def test_days_are_kept_and_nothing_else_is_deleted(tmp_path: Path) -> None:
    kept = ["f-2026-03-09.jsonl", "f-2026-03-09.2.jsonl", "f-2026-02-30.jsonl", "f-old.jsonl"]
    for name in (*kept, "f-2026-03-08.jsonl", "f-2026-03-08.7.jsonl", "f-2020-01-01.jsonl"):
        (tmp_path / name).write_bytes(LINE)
    clock = Clock("2026-03-10 12:00:00")
    rotation = Rotation(keep=Retention(days=2))
    Recording(str(tmp_path / "f-{date}.jsonl"), rotation, now=clock).close()
    assert names(tmp_path) == sorted([*kept, "f-2026-03-10.jsonl"])


def test_a_clock_that_jumps_deletes_nothing(tmp_path: Path) -> None:
    (tmp_path / "f-2026-03-09.jsonl").write_bytes(LINE)
    clock = Clock("2026-03-10 12:00:00")
    rotation = Rotation(keep=Retention(days=2))
    recording = Recording(str(tmp_path / "f-{date}.jsonl"), rotation, now=clock)
    for day in ("2099-01-01", "2026-03-10"):
        clock.now = datetime.fromisoformat(f"{day} 12:00:00")
        recording.write(LINE)
    recording.close()
    assert "f-2026-03-09.jsonl" in names(tmp_path)
    assert "f-2026-03-10.jsonl" in names(tmp_path)


def test_what_was_written_at_a_wrong_date_is_not_deleted_at_the_right_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A Pi has no clock of its own: it starts in the past and learns the time from the network."""
    clock = Clock("1970-01-01 00:00:00")
    uptime = [1000.0]
    monkeypatch.setattr("mien.outputs.recording.time.monotonic", lambda: uptime[0])
    rotation = Rotation(keep=Retention(days=30))
    recording = Recording(str(tmp_path / "f-{date}.jsonl"), rotation, now=clock)
    recording.write(LINE)
    clock.now = datetime.fromisoformat("2026-03-10 12:00:00")
    for _ in range(33):
        recording.write(LINE)
        if uptime[0] < 1000.0 + 29 * 86400:
            assert "f-1970-01-01.jsonl" in names(tmp_path)
        clock.now += timedelta(days=1)
        uptime[0] += 86400.0
    recording.close()
    assert names(tmp_path)[0] == "f-2026-03-13.jsonl"  # 30 days, the last one 2026-04-11
    assert len(names(tmp_path)) == 30


def test_sizes_are_bounded_each_and_in_total(tmp_path: Path) -> None:
    target = str(tmp_path / "f.jsonl")
    for start in (0, 1):  # the second run goes on
        rotation = Rotation(max_bytes=10 * len(LINE), keep=Retention(total_bytes=100 * len(LINE)))
        recording = Recording(target, rotation)
        for _ in range(95 + 100 * start):
            recording.write(LINE)
            sizes = [path.stat().st_size for path in tmp_path.iterdir()]
            assert max(sizes) <= 10 * len(LINE)
            assert sum(sizes) <= 100 * len(LINE)
        recording.close()
    assert sum(path.read_bytes().count(LINE) for path in tmp_path.iterdir()) >= 90
    assert "f.jsonl" not in names(tmp_path)  # the oldest
    assert recording.path.name == "f.29.jsonl"


def test_a_killed_recording_leaves_whole_lines_and_loses_none(tmp_path: Path) -> None:
    """Each start goes on where the one before was killed, over the borders of the files."""
    program = (
        "import sys, itertools\n"
        "from mien.outputs.recording import Recording, Rotation\n"
        "recording = Recording(sys.argv[1], Rotation(max_bytes=20000))\n"
        "for n in itertools.count(int(sys.argv[2])):\n"
        "    recording.write(b'%d %s\\n' % (n, b'x' * (n % 300)))\n"
        "    print(n, flush=True)\n"
    )
    target = tmp_path / "f.log"
    last = -1
    for _ in range(5):
        command = [sys.executable, "-c", program, str(target), str(last + 1)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        for line in itertools.islice(process.stdout, 400):
            last = int(line)
        process.kill()
        for line in process.stdout:  # what it had said by then
            last = int(line) if line.endswith("\n") else last
        process.wait()
        # The last line may have been written without being said.
        last = max(last, written(tmp_path)[-1])
    numbers = written(tmp_path)
    assert numbers == list(range(last + 1))


def written(folder: Path) -> list[int]:
    files = sorted(folder.iterdir(), key=lambda path: int(path.stem.partition(".")[2] or 1))
    return [int(line.split()[0]) for file in files for line in file.read_text().splitlines()]


def test_every_thins_in_step_with_the_first_frame(
    tmp_path: Path, model_path: Path, mien: Mien
) -> None:
    jsonl = tmp_path / "o.jsonl"
    code, out, _ = mien(
        *("run", CLIP, "--model", model_path, "--max-frames", 60),
        *("--every", 1, "--jsonl", jsonl, "--csv", tmp_path / "o.csv"),
    )
    assert code == 0
    assert [line["time"] for line in lines(jsonl)] == [0.0, 1.0, 2.0]
    rows = list(csv.DictReader((tmp_path / "o.csv").open(newline="")))
    assert {row["time"] for row in rows} <= {"0.0000", "1.0000", "2.0000"}
    assert "frames                  60" in out  # read they all are


def test_the_wall_clock_is_the_frames_and_has_an_offset() -> None:
    before = datetime.now().astimezone()
    at = datetime.fromisoformat(wall_clock(10.0))
    assert at.utcoffset() == before.utcoffset()
    assert abs((before - at).total_seconds() - 10.0) < 5.0


@pytest.mark.parametrize(
    ("text", "bound"),
    [
        ("30 days", Retention(30)),
        ("1 day", Retention(1)),
        ("7d", Retention(7)),
        ("2 GB", Retention(None, 2 * 10**9)),
        ("30 days, 500MB", Retention(30, 5 * 10**8)),
    ],
)
def test_a_bound_is_read(text: str, bound: Retention) -> None:
    assert parse_retention(text, "--jsonl-keep") == bound


@pytest.mark.parametrize(
    "text", ["", "30", "0 days", "-1 days", "a week", "0 MB", "1e99 GB", "inf GB"]
)
def test_a_bound_is_refused_in_one_sentence(text: str) -> None:
    with pytest.raises(UserError, match="Invalid --jsonl-keep"):
        parse_retention(text, "--jsonl-keep")
    with pytest.raises(UserError, match="Invalid --jsonl-size"):
        parse_size(text, "--jsonl-size")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--every", 1], "--every thins --jsonl and --csv"),
        (["--every", 0, "--jsonl", "-"], "--every must be above 0"),
        (["--jsonl-keep", "30 days"], "are for --jsonl"),
        (["--jsonl", "f.jsonl", "--jsonl-keep", "30 days"], "put {date} into the name"),
        (["--jsonl", "-", "--jsonl-size", "1 MB"], "need a file"),
    ],
)
def test_what_makes_no_recording_is_refused(words: list[object], said: str, mien: Mien) -> None:
    code, out, err = mien("run", CLIP, *words)
    assert (code, out) == (2, "")
    assert said in err
