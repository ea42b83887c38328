"""`mien run` as a user has it: a process of its own, real files, real signals."""

from __future__ import annotations

import csv
import json
import os
import pty
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from clips import read_clip
from made import BANDS
from mjpeg_server import asked, serving
from running import BOTH, CLIP, PATIENCE, START, left_over, lines, run, sentences, start


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with serving() as address:
        yield address


def test_a_video_to_every_output(model_path: Path, tmp_path: Path) -> None:
    for name in ("out.jsonl", "out.csv", "out.mp4"):
        (tmp_path / name).write_text("of an earlier run")
    outputs = ["--jsonl", tmp_path / "out.jsonl", "--csv", tmp_path / "out.csv"]
    done = run(
        CLIP, "--model", model_path, *outputs, "--video", tmp_path / "out.mp4", "--max-frames", 8
    )
    assert done.returncode == 0
    records = lines(tmp_path / "out.jsonl")
    assert [record["frame"] for record in records] == list(range(8))
    assert [record["time"] for record in records] == pytest.approx([i / 25 for i in range(8)])
    faces = [face for record in records for face in record["faces"]]
    assert len(faces) >= 14  # two people in each frame
    for face in faces:
        assert list(face) == ["id", "age", "box", "emotion", "confidence", "probabilities"]
        assert tuple(face["probabilities"]) == BANDS.labels
        assert sum(face["probabilities"].values()) == pytest.approx(1, abs=1e-3)
    assert set(records[0]["ms"]) == {"detect", "classify", "total"}
    rows = list(csv.DictReader((tmp_path / "out.csv").open()))
    assert [[int(row[k]) for k in "xywh"] for row in rows] == [face["box"] for face in faces]
    assert [row["emotion"] for row in rows] == [face["emotion"] for face in faces]
    frames, fps = read_clip(tmp_path / "out.mp4")
    plain = read_clip(CLIP)[0][7]
    assert len(frames) == 8
    assert fps == 25
    x, y, w, h = records[7]["faces"][0]["box"]
    changed = cv2.absdiff(frames[7], plain).max(axis=2) > 80
    assert changed[y - 4 : y + h + 4, x - 4 : x + w + 4].any()  # the box is drawn
    assert not changed[-20:].any()
    assert left_over(tmp_path) == []
    assert "frames                   8" in done.stdout
    assert "frames with face         8  (100.0%)" in done.stdout
    assert "share of time" in done.stdout
    assert sentences(done.stderr) == []
    assert "%" not in done.stderr


def test_stdout_is_pure_jsonl_and_duration_is_media_time(
    model_path: Path, mien: Callable[..., tuple[int, str, str]]
) -> None:
    words = ["--model", model_path, "--jsonl", "-", "--duration", 0.2]
    code, out, err = mien("run", CLIP, *words)
    assert code == 0
    records = [json.loads(line) for line in out.splitlines()]
    assert [record["frame"] for record in records] == list(range(5))
    assert "frames                   5" in err


def test_a_reader_that_goes_ends_the_run(model_path: Path, tmp_path: Path) -> None:
    process = start(CLIP, "--model", model_path, "--jsonl", "-", "--csv", tmp_path / "out.csv")
    assert process.stdout is not None
    assert process.stderr is not None
    assert json.loads(process.stdout.readline())["frame"] == 0
    process.stdout.close()
    err = process.stderr.read()
    assert process.wait(60 * PATIENCE) == 0
    assert "Error" not in err
    assert "frames with face" in err
    assert 0 < len(list(csv.DictReader((tmp_path / "out.csv").open()))) < 300


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_run_with_every_file_complete(
    model_path: Path, tmp_path: Path, server: str, number: signal.Signals
) -> None:
    jsonl, table, video = (tmp_path / f"out.{kind}" for kind in ("jsonl", "csv", "mp4"))
    words = ["--model", model_path, "--jsonl", jsonl, "--csv", table, "--video", video]
    process = start(f"{server}/ok", *words)
    deadline = time.monotonic() + 30 * PATIENCE
    while time.monotonic() < deadline and not (
        jsonl.exists() and jsonl.read_bytes().count(b"\n") > 5
    ):
        time.sleep(0.02)
    assert not table.exists()
    process.send_signal(number)
    out, err = process.communicate(timeout=20 * PATIENCE)
    assert process.returncode == 0, err
    assert sentences(err) == []
    count = len(lines(jsonl))
    assert f"frames            {count:8d}" in out
    assert read_clip(video)[0]
    assert table.read_text().startswith(
        "frame,time,picture,face,x,y,w,h,emotion,confidence,p_angry"
    )
    assert left_over(tmp_path) == []


@pytest.mark.parametrize("kind", ["mute", "stall"])
def test_a_signal_ends_the_wait_for_a_silent_server(
    model_path: Path, tmp_path: Path, server: str, kind: str
) -> None:
    jsonl = tmp_path / "out.jsonl"
    process = start(f"{server}/{kind}", "--model", model_path, "--jsonl", jsonl)
    if kind == "stall":
        deadline = time.monotonic() + 30 * PATIENCE
        while time.monotonic() < deadline and not jsonl.exists():
            time.sleep(0.02)
        time.sleep(0.5)
    else:
        assert asked.wait(30 * PATIENCE)
    start_of_end = time.monotonic()
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=20 * PATIENCE)
    assert time.monotonic() - start_of_end < 8 * PATIENCE
    assert process.returncode == 0, err
    assert "Traceback" not in err
    if kind == "stall":
        assert "frames " in out
        assert lines(jsonl)
    else:
        assert sentences(err) == ["mien: stopped before the first frame"]
        assert not jsonl.exists()


def test_a_stream_that_ends_is_exit_code_4_with_complete_files(
    model_path: Path, tmp_path: Path, server: str
) -> None:
    video = tmp_path / "out.mp4"
    outputs = ["--video", video, "--jsonl", tmp_path / "o.jsonl"]
    done = run(f"{server}/cut", "--model", model_path, "--give-up", 0.9, *outputs)
    assert done.returncode == 4
    assert len(sentences(done.stderr)) == 2  # it is lost, it is given up
    assert "/cut ended; check the network" in done.stderr
    assert "is given up" in done.stderr
    assert lines(tmp_path / "o.jsonl")
    assert read_clip(video)[0]
    assert "frames with face         0" in done.stdout


def test_the_duration_ends_a_search_too(model_path: Path, server: str) -> None:
    done = run(f"{server}/cut", "--model", model_path, "--duration", 2)
    assert done.returncode == 0
    assert "Looking for it" in done.stderr
    assert "frames with face         0" in done.stdout


def test_a_folder_of_pictures(model_path: Path, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    shutil.copy(BOTH, folder / "2 both.jpg")
    cv2.imwrite(str(folder / "10 none.png"), np.full((50, 70), 90, np.uint8))
    (folder / "3 bad.jpg").write_text("no picture")
    video = tmp_path / "out.mp4"
    done = run(folder, "--model", model_path, "--jsonl", "-", "--video", video)
    assert done.returncode == 0
    records = [json.loads(line) for line in done.stdout.splitlines()]
    assert [record["picture"] for record in records] == ["2 both.jpg", "10 none.png"]
    assert [len(record["faces"]) for record in records] == [2, 0]
    assert len(sentences(done.stderr)) == 1
    assert "3 bad.jpg" in done.stderr
    frames, fps = read_clip(video)
    assert [frame.shape for frame in frames] == [(480, 640, 3)] * 2
    assert fps == 1


def test_progress_with_time_left_on_a_terminal(model_path: Path) -> None:
    ours, theirs = pty.openpty()
    words = [*START, str(CLIP), "--model", str(model_path), "--max-frames", "180"]
    environment = {**os.environ, "COLUMNS": "120"}
    process = subprocess.Popen(words, stderr=theirs, stdout=subprocess.PIPE, env=environment)
    os.close(theirs)
    seen = b""
    while True:
        try:
            part = os.read(ours, 4096)
        except OSError:  # the other side is closed
            break
        if not part:
            break
        seen += part
    os.close(ours)
    out = process.communicate(timeout=30 * PATIENCE)[0]
    assert process.returncode == 0
    assert b" of 180 frames" in seen
    assert b" left" in seen
    assert b"left" not in out
