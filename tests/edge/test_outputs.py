"""JSONL, CSV, video, window, status line and summary, without a detector or a model."""

from __future__ import annotations

import csv
import json
import os
import sys
import threading
from pathlib import Path

import cv2
import numpy as np
import pytest
from clips import read_clip

from edge.errors import UserError
from edge.faces import Face
from edge.outputs import window as window_module
from edge.outputs.csvfile import CsvOutput
from edge.outputs.jsonl import JsonlOutput
from edge.outputs.status import Status, clock
from edge.outputs.video import VideoOutput, letterbox
from edge.outputs.window import Window, check_screen
from edge.pipeline import FrameResult
from edge.reading import Reading
from edge.sources.frame import Frame
from edge.summary import Summary

LABELS = ("happy", "sad")


def reading(happy: float, threshold: float = 0.6) -> Reading:
    emotion = "happy" if happy >= 0.5 else "sad"
    confidence = max(happy, 1 - happy)
    named = emotion if confidence >= threshold else "uncertain"
    # What numpy gives, not what JSON likes.
    return Reading(named, float(np.float64(confidence)), {"happy": happy, "sad": 1 - happy})


def result(index: int, time: float, *happy: float) -> FrameResult:
    faces = tuple(
        Face((np.int32(10 * i), 20, 30, 40), reading(np.float64(p)))  # type: ignore[arg-type]
        for i, p in enumerate(happy)
    )
    return FrameResult(index, time, faces, {"detect": 1.23456, "classify": 0.5, "total": 1.8})


def frame(index: int, time: float, picture: str | None = None) -> Frame:
    return Frame(index, time, np.zeros((4, 4), np.uint8), None, picture)


def test_a_line_of_jsonl_is_what_the_documentation_says(tmp_path: Path) -> None:
    target = tmp_path / "out.jsonl"
    output = JsonlOutput(str(target))
    output.write(frame(7, 0.28), result(7, 0.28000001, 0.9, 0.45))
    live = target.read_text()  # before it is closed: somebody follows it
    output.write(frame(9, 0.36, "a.jpg"), result(9, 0.36))
    output.close()
    assert live.endswith("\n")
    assert json.loads(live) == {
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
    assert list(second) == ["frame", "time", "picture", "faces", "ms"]
    assert (second["picture"], second["faces"]) == ("a.jpg", [])


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
    assert rows == [
        {
            **{"frame": "3", "time": "0.1200", "picture": "a, b.jpg", "face": "0"},
            **{"x": "0", "y": "20", "w": "30", "h": "40"},
            **{"emotion": "happy", "confidence": "0.9000", "p_happy": "0.9000", "p_sad": "0.1000"},
        },
        {
            **{"frame": "3", "time": "0.1200", "picture": "a, b.jpg", "face": "1"},
            **{"x": "10", "y": "20", "w": "30", "h": "40"},
            **{"emotion": "uncertain", "confidence": "0.5500"},
            **{"p_happy": "0.4500", "p_sad": "0.5500"},
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


def paint(value: int, width: int = 64, height: int = 48) -> np.ndarray:
    return np.full((height, width, 3), value, np.uint8)


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


class Screen:
    """OpenCV's window functions on a screen with a person at it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.key = -1
        self.visible: float | None = 1.0
        self.shown: list[int] = []
        for name in ("namedWindow", "resizeWindow", "destroyAllWindows"):
            monkeypatch.setattr(cv2, name, lambda *a: None)
        monkeypatch.setattr(cv2, "imshow", lambda title, bgr: self.shown.append(int(bgr.mean())))
        monkeypatch.setattr(cv2, "waitKey", lambda ms: self.key)
        monkeypatch.setattr(cv2, "getWindowProperty", self.get)

    def get(self, title: str, what: int) -> float:
        if self.visible is None:
            raise cv2.error("NULL guiReceiver (please create a window)")
        return self.visible


@pytest.mark.parametrize("key", [ord("q"), ord("x"), 27, 0x100000 | ord("q")])
def test_keys_close_the_window(monkeypatch: pytest.MonkeyPatch, key: int) -> None:
    screen = Screen(monkeypatch)
    window = Window(paced=False, fps=25)
    window.write(paint(1), 0)
    screen.key = ord("a")
    window.write(paint(2), 0.04)
    assert not window.closed
    screen.key = key
    window.write(paint(3), 0.08)
    assert window.closed
    assert screen.shown == [1, 2, 3]
    window.close()


@pytest.mark.parametrize("visible", [0.0, -1.0, None])
def test_the_close_button(monkeypatch: pytest.MonkeyPatch, visible: float | None) -> None:
    screen = Screen(monkeypatch)
    window = Window(paced=True, fps=1)
    window.write(paint(1), 0)
    screen.visible = visible
    window.write(paint(2), 100)  # would wait for 100 s
    assert window.closed
    assert screen.shown == [1]


def test_no_screen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    with pytest.raises(UserError, match="no screen for --window"):
        check_screen()
    monkeypatch.setenv("DISPLAY", ":4177")  # OpenCV's Qt would end this process
    with pytest.raises(UserError, match="cannot be reached"):
        check_screen()


def test_the_headless_opencv(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "cv2.py").write_text(
        "class error(Exception): pass\n"
        "def namedWindow(name):\n"
        "    raise error('The function is not implemented. Rebuild the library with Windows, "
        "GTK+ 2.x or Cocoa support.')\n"
    )
    monkeypatch.setenv("DISPLAY", ":0")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(UserError, match="headless one and has no windows"):
        check_screen()
    assert window_module.TITLE == "mien"


def test_the_status_line_is_for_terminals(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("edge.outputs.status.EVERY_S", 0)
    status = Status()
    status.update(1, result(0, 0, 0.9))
    status.say("a camera said no")
    assert capsys.readouterr().err == "mien: a camera said no\n"
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "200")
    status = Status()
    status.total = 300
    for done in range(1, 151):
        status.update(done, result(done, 0, 0.9, 0.1))
    status.clear()
    written = capsys.readouterr().err
    assert " 50 %  150 of 300 frames" in written
    assert " left  happy 0.90, sad 0.90" in written
    assert written.endswith("\r\x1b[K")
    monkeypatch.setenv("COLUMNS", "40")
    status = Status()
    status.update(5, result(5, 61, *[0.9] * 9))
    assert len(capsys.readouterr().err.removeprefix("\r\x1b[K")) <= 39


def test_time_as_people_write_it() -> None:
    assert [clock(s) for s in (0, 59.4, 59.6, 3599, 3661)] == [
        "0:00",
        "0:59",
        "1:00",
        "59:59",
        "1:01:01",
    ]


def test_the_share_is_one_of_time_and_not_of_frames() -> None:
    summary = Summary(LABELS)
    summary.add(result(0, 0.0, 0.9))  # happy for 1.5 s
    summary.add(result(1, 1.5, 0.1))  # sad for 0.25 s, twice
    summary.add(result(2, 1.75, 0.1, 0.55))  # and sad and uncertain for as long as the last
    summary.add(result(3, 2.0))
    summary.end(fps=4, dropped=3)
    assert summary.shares() == pytest.approx(
        {"happy": 0.6667, "sad": 0.2222, "uncertain": 0.1111}, abs=1e-3
    )
    assert (summary.frames, summary.frames_with_face, summary.faces) == (4, 3, 4)
    assert summary.media_s == pytest.approx(2.25)
    text = summary.text()
    assert "frames                   4" in text
    assert "frames with face         3  (75.0%)" in text
    assert "dropped                  3" in text
    assert [line.split()[0] for line in text.splitlines()[-3:]] == ["happy", "sad", "uncertain"]
    assert "66.7%" in text


def test_a_pause_of_the_source_weighs_no_more_than_two_seconds() -> None:
    summary = Summary(LABELS)
    summary.add(result(0, 0.0, 0.9))
    summary.add(result(1, 600.0, 0.1))
    summary.add(result(2, 602.0))
    summary.end(fps=None, dropped=0)
    assert summary.shares()["happy"] == pytest.approx(0.5)


def test_a_run_without_frames_or_faces_has_a_summary() -> None:
    summary = Summary(LABELS)
    summary.end(None, 0)
    assert "frames                   0" in summary.text()
    summary = Summary(LABELS)
    summary.add(result(0, 0.0))
    summary.end(fps=None, dropped=0)
    assert "emotion" not in summary.text()
    assert sum(summary.shares().values()) == 0
