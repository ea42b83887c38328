"""JSONL, CSV and video files, without a detector or a model."""

from __future__ import annotations

import csv
import json
import os
import threading
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from clips import read_clip
from mien.errors import UserError
from mien.outputs.csv import CsvOutput
from mien.outputs.jsonl import JsonlOutput
from mien.outputs.video import VideoOutput, letterbox
from mien.sources.base import Change
from results import LABELS, frame, paint, result


def test_a_line_of_jsonl_is_what_the_documentation_says(tmp_path: Path) -> None:
    target = tmp_path / "out.jsonl"
    output = JsonlOutput(str(target))
    output.write(frame(7, 0.28), result(7, 0.28000001, 0.9, 0.45))
    live = target.read_text()  # before it is closed: somebody follows it
    output.write(frame(9, 0.36, "a.jpg"), result(9, 0.36))
    output.close()
    assert live.endswith("\n")
    first = json.loads(live)
    written = datetime.fromisoformat(first.pop("at"))
    assert written.utcoffset() is not None
    assert abs(datetime.now(timezone.utc) - written) < timedelta(minutes=1)
    assert first == {
        "frame": 7,
        "time": 0.28,
        "faces": [
            {
                "box": [0, 20, 30, 40],
                "emotion": "happy",
                "confidence": 0.9,
                "probabilities": {"happy": 0.9, "sad": 0.1},
            },
            {
                "box": [10, 20, 30, 40],
                "emotion": "uncertain",
                "confidence": 0.55,
                "probabilities": {"happy": 0.45, "sad": 0.55},
            },
        ],
        "ms": {"detect": 1.235, "classify": 0.5, "total": 1.8},
    }
    second = json.loads(target.read_text().splitlines()[1])
    assert list(second) == ["frame", "time", "at", "picture", "faces", "ms"]
    assert (second["picture"], second["faces"]) == ("a.jpg", [])


def test_followed_faces_have_ids_and_ages_and_live_frames_a_latency(tmp_path: Path) -> None:
    target, table = tmp_path / "out.jsonl", tmp_path / "out.csv"
    (face,) = result(7, 0.28, 0.9).faces
    followed = replace(result(7, 0.28), faces=(replace(face, id=3, age=0.1),), latency=0.0214)
    outputs = (JsonlOutput(str(target)), CsvOutput(table, LABELS))
    for output in outputs:
        output.write(frame(7, 0.28), followed)
        output.changed(Change("lost", 1.5, "The cable is out."))
        output.close()
    line, event = map(json.loads, target.read_text().splitlines())
    assert [(face["id"], face["age"]) for face in line["faces"]] == [(3, 0.1)]
    assert line["latency_ms"] == 21.4
    assert datetime.fromisoformat(event.pop("at")).utcoffset() is not None
    assert event == {"event": "lost", "time": 1.5, "why": "The cable is out."}
    (row,) = csv.DictReader(table.open(newline=""))
    assert (row["id"], row["age"]) == ("3", "0.100")
    assert datetime.fromisoformat(row["at"]).utcoffset() is not None


def test_jsonl_empties_an_existing_file_and_writes_to_a_named_pipe(tmp_path: Path) -> None:
    target = tmp_path / "out.jsonl"
    target.write_text("old\n")
    JsonlOutput(str(target)).close()
    assert target.read_text() == ""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    received: list[str] = []
    reader = threading.Thread(target=lambda: received.append(pipe.read_text()))
    reader.start()
    output = JsonlOutput(str(pipe))
    output.write(frame(0, 0), result(0, 0))
    output.close()
    reader.join(5)
    assert json.loads(received[0])["frame"] == 0


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
def test_a_full_disk_gets_a_sentence() -> None:
    output = JsonlOutput("/dev/full")
    with pytest.raises(UserError, match="/dev/full cannot be written: No space left"):
        output.write(frame(0, 0), result(0, 0))


def test_csv_has_a_row_per_face_and_appears_when_it_is_whole(tmp_path: Path) -> None:
    target = tmp_path / "out.csv"
    target.write_text("of an earlier run\n")
    output = CsvOutput(target, LABELS)
    output.write(frame(3, 0.12, "a, b.jpg"), result(3, 0.12, 0.9, 0.45))
    output.write(frame(4, 0.16), result(4, 0.16))
    assert target.read_text() == "of an earlier run\n"
    output.close()
    rows = list(csv.DictReader(target.open(newline="")))
    assert all(row.pop("at") for row in rows)
    assert rows == [
        {
            **{"frame": "3", "time": "0.1200", "picture": "a, b.jpg", "face": "1"},
            **{"x": "0", "y": "20", "w": "30", "h": "40"},
            **{"emotion": "happy", "confidence": "0.9000", "p_happy": "0.9000", "p_sad": "0.1000"},
            **{"id": "", "age": ""},
        },
        {
            **{"frame": "3", "time": "0.1200", "picture": "a, b.jpg", "face": "2"},
            **{"x": "10", "y": "20", "w": "30", "h": "40"},
            **{"emotion": "uncertain", "confidence": "0.5500"},
            **{"p_happy": "0.4500", "p_sad": "0.5500"},
            **{"id": "", "age": ""},
        },
    ]
    assert os.listdir(tmp_path) == ["out.csv"]  # noqa: PTH208


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    link = tmp_path / "out.csv"
    link.symlink_to(tmp_path / "there" / "real.csv")
    CsvOutput(link, LABELS).close()
    assert link.is_symlink()
    assert (tmp_path / "there" / "real.csv").read_text().startswith("frame,time")


@pytest.mark.parametrize("name", ["out.mp4", "out.avi", "out.MKV"])
def test_a_video_plays_and_appears_when_it_is_whole(tmp_path: Path, name: str) -> None:
    target = tmp_path / name
    output = VideoOutput(target, 12.5, follow_time=False)
    for number in range(6):
        output.write(paint(40 * number, 65, 49), number / 12.5)  # odd sides
        assert not target.exists()
    output.close()
    frames, fps = read_clip(target)
    assert fps == pytest.approx(12.5)
    assert [round(float(f.mean()) / 40) for f in frames] == list(range(6))
    assert frames[0].shape == (48, 64, 3)
    assert os.listdir(tmp_path) == [name]  # noqa: PTH208


def test_a_live_video_plays_at_the_speed_of_life(tmp_path: Path) -> None:
    output = VideoOutput(tmp_path / "out.mp4", 10, follow_time=True)
    # A slow stretch, one faster than the video, and a pause of a minute.
    times = [0.0, 0.3, 0.6, 0.62, 0.64, 0.7, 60.7, 60.8]
    for number, time in enumerate(times):
        output.write(paint(30 * number), time)
    output.close()
    frames, _ = read_clip(tmp_path / "out.mp4")
    shown = [round(float(f.mean()) / 30) for f in frames]
    assert shown == [0] * 3 + [1] * 3 + [2] + [5] + [5] * 19 + [6, 7]


def test_pictures_of_all_sizes_are_letterboxed_to_the_first(tmp_path: Path) -> None:
    assert letterbox(paint(9), (64, 48)).shape == (48, 64, 3)
    wide = letterbox(paint(200, 100, 10), (64, 48))
    assert wide.shape == (48, 64, 3)
    assert wide[24, 0].tolist() == [200, 200, 200]
    assert wide[:20].max() == 0
    tall = letterbox(paint(200, 1, 4000), (64, 48))
    assert tall[:, 31].max() == 200
    assert tall[:, :20].max() == 0
    output = VideoOutput(tmp_path / "out.mp4", 1, follow_time=False)
    for picture in (paint(100), paint(100, 300, 20), paint(100, 1, 1)):
        output.write(picture, 0)
    output.close()
    assert len(read_clip(tmp_path / "out.mp4")[0]) == 3


def test_a_video_that_cannot_be_completed_is_not_left(tmp_path: Path) -> None:
    output = VideoOutput(tmp_path / "out.mp4", 10, follow_time=False)
    output.write(paint(5), 0)
    part = next(tmp_path.iterdir())
    part.unlink()  # as on a full disk: the writer itself reports nothing
    with pytest.raises(UserError, match="could not be completed"):
        output.close()
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(UserError, match=r"let it end in \.mp4"):
        VideoOutput(tmp_path / "out.gif", 10, follow_time=False)
