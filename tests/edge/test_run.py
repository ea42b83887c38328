"""`mien run` as a user has it: a process of its own, real files, real signals."""

from __future__ import annotations

import csv
import json
import os
import pty
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from clips import read_clip, write_clip
from mjpeg_server import asked, serving

import edge
from edge.modelfile import Crop, Metadata, pack
from edge.stop import Stop, Stopped

DEMO = Path(edge.__file__).parent / "demo"
CLIP = DEMO / "clip.mp4"
BOTH = DEMO / "portraits" / "both.jpg"
BANDS = Path(__file__).parents[1] / "data" / "bands.tflite"
LABELS = ("angry", "disgust", "fear", "happy", "neutral", "sad", "surprise")
START = [sys.executable, "-c", "from edge.cli import main; main()", "run"]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A small real model; what it reads is its own affair here."""
    metadata = Metadata(
        format=1,
        name="bands",
        version="1",
        labels=LABELS,
        input_size=48,
        colour="gray",
        resize="area",
        crop=Crop(0.1),
        temperature=1.0,
        threshold=0.3,
        metrics={},
        training={},
        licences={},
        created="2026-01-01T00:00:00+00:00",
        sha256="",
    )
    path = tmp_path_factory.mktemp("model") / "bands.tflite"
    path.write_bytes(pack(BANDS.read_bytes(), metadata))
    return str(path)


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with serving() as address:
        yield address


def start(*words: object) -> subprocess.Popen[str]:
    # With it Python has nothing to flush at its end, which is where a broken pipe shows.
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONUNBUFFERED"}
    return subprocess.Popen(
        [*START, *map(str, words)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    )


def run(*words: object) -> subprocess.CompletedProcess[str]:
    process = start(*words)
    out, err = process.communicate(timeout=60)
    assert "Traceback" not in err
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)


def sentences(err: str) -> list[str]:
    """Return what mien itself said; the interpreter's library adds a line of its own."""
    return [line for line in err.splitlines() if line.startswith("mien: ")]


def lines(path: Path) -> list[dict[str, object]]:
    text = path.read_text()
    assert text.endswith("\n")
    return [json.loads(line) for line in text.splitlines()]


def left_over(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir() if path.name.startswith(".")]


def test_a_video_to_every_output(model: str, tmp_path: Path) -> None:
    for name in ("out.jsonl", "out.csv", "out.mp4"):
        (tmp_path / name).write_text("of an earlier run")
    outputs = ["--jsonl", tmp_path / "out.jsonl", "--csv", tmp_path / "out.csv"]
    done = run(CLIP, "--model", model, *outputs, "--video", tmp_path / "out.mp4", "--max-frames", 8)
    assert done.returncode == 0
    records = lines(tmp_path / "out.jsonl")
    assert [record["frame"] for record in records] == list(range(8))
    assert [record["time"] for record in records] == pytest.approx([i / 25 for i in range(8)])
    faces = [face for record in records for face in record["faces"]]
    assert len(faces) >= 14  # two people in each frame
    for face in faces:
        assert list(face) == ["box", "emotion", "confidence", "probabilities"]
        assert tuple(face["probabilities"]) == LABELS
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


def in_process(monkeypatch: pytest.MonkeyPatch, *words: object) -> int:
    """Run the command line here, which spares the start of a process; returns the exit code."""
    from edge.cli import main

    monkeypatch.setattr(sys, "argv", ["mien", "run", *map(str, words)])
    with pytest.raises(SystemExit) as caught:
        main()
    assert isinstance(caught.value.code, int)
    return caught.value.code


def test_stdout_is_pure_jsonl_and_duration_is_media_time(
    model: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    assert in_process(monkeypatch, CLIP, "--model", model, "--jsonl", "-", "--duration", 0.2) == 0
    captured = capfd.readouterr()
    records = [json.loads(line) for line in captured.out.splitlines()]
    assert [record["frame"] for record in records] == list(range(5))
    assert "frames                   5" in captured.err


def test_a_reader_that_goes_ends_the_run(model: str, tmp_path: Path) -> None:
    process = start(CLIP, "--model", model, "--jsonl", "-", "--csv", tmp_path / "out.csv")
    assert process.stdout is not None
    assert process.stderr is not None
    assert json.loads(process.stdout.readline())["frame"] == 0
    process.stdout.close()
    err = process.stderr.read()
    assert process.wait(60) == 0
    assert "Error" not in err
    assert "frames with face" in err
    assert 0 < len(list(csv.DictReader((tmp_path / "out.csv").open()))) < 300


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_run_with_every_file_complete(
    model: str, tmp_path: Path, server: str, number: signal.Signals
) -> None:
    jsonl, table, video = (tmp_path / f"out.{kind}" for kind in ("jsonl", "csv", "mp4"))
    words = ["--model", model, "--jsonl", jsonl, "--csv", table, "--video", video]
    process = start(f"{server}/ok", *words)
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and not (
        jsonl.exists() and jsonl.read_bytes().count(b"\n") > 5
    ):
        time.sleep(0.02)
    assert not table.exists()
    process.send_signal(number)
    out, err = process.communicate(timeout=20)
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
    model: str, tmp_path: Path, server: str, kind: str
) -> None:
    jsonl = tmp_path / "out.jsonl"
    process = start(f"{server}/{kind}", "--model", model, "--jsonl", jsonl)
    if kind == "stall":
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline and not jsonl.exists():
            time.sleep(0.02)
        time.sleep(0.5)
    else:
        assert asked.wait(30)
    start_of_end = time.monotonic()
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=20)
    assert time.monotonic() - start_of_end < 8
    assert process.returncode == 0, err
    assert "Traceback" not in err
    if kind == "stall":
        assert "frames " in out
        assert lines(jsonl)
    else:
        assert sentences(err) == ["mien: stopped before the first frame"]
        assert not jsonl.exists()


def test_a_stream_that_ends_is_exit_code_4_with_complete_files(
    model: str, tmp_path: Path, server: str
) -> None:
    video = tmp_path / "out.mp4"
    done = run(f"{server}/cut", "--model", model, "--video", video, "--jsonl", tmp_path / "o.jsonl")
    assert done.returncode == 4
    assert len(sentences(done.stderr)) == 1
    assert "/cut ended or gave nothing" in done.stderr
    assert lines(tmp_path / "o.jsonl")
    assert read_clip(video)[0]
    assert "frames with face         0" in done.stdout


def test_a_folder_of_pictures(model: str, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    shutil.copy(BOTH, folder / "2 both.jpg")
    cv2.imwrite(str(folder / "10 none.png"), np.full((50, 70), 90, np.uint8))
    (folder / "3 bad.jpg").write_text("no picture")
    video = tmp_path / "out.mp4"
    done = run(folder, "--model", model, "--jsonl", "-", "--video", video)
    assert done.returncode == 0
    records = [json.loads(line) for line in done.stdout.splitlines()]
    assert [record["picture"] for record in records] == ["2 both.jpg", "10 none.png"]
    assert [len(record["faces"]) for record in records] == [2, 0]
    assert len(sentences(done.stderr)) == 1
    assert "3 bad.jpg" in done.stderr
    frames, fps = read_clip(video)
    assert [frame.shape for frame in frames] == [(480, 640, 3)] * 2
    assert fps == 1


def test_progress_with_time_left_on_a_terminal(model: str) -> None:
    ours, theirs = pty.openpty()
    words = [*START, str(CLIP), "--model", model, "--max-frames", "15"]
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
    out = process.communicate(timeout=30)[0]
    assert process.returncode == 0
    assert b" of 15 frames" in seen
    assert b" left" in seen
    assert b"left" not in out


def write_no_video(folder: Path) -> None:
    whole = write_clip(folder / "whole.mp4").read_bytes()
    (folder / "cut.mp4").write_bytes(whole[: len(whole) // 2])
    (folder / "whole.mp4").unlink()
    (folder / "text.mp4").write_text("no video")
    (folder / "empty.mp4").touch()
    (folder / "nothing").mkdir()
    (folder / "bad").mkdir()
    (folder / "bad" / "a.jpg").write_text("no picture")
    (folder / "kept.csv").write_text("kept")
    shutil.copy(BOTH, folder / "face.jpg")


@pytest.mark.parametrize(
    ("words", "part"),
    [
        ("missing.mp4", "is no file, folder or camera"),
        ("cut.mp4 --jsonl o.jsonl --csv kept.csv --video o.mp4", "cannot be read as a video"),
        ("text.mp4 --csv kept.csv", "cannot be read as a video"),
        ("empty.mp4 --csv kept.csv", "is empty"),
        ("nothing", "holds no pictures"),
        ("bad --jsonl o.jsonl --video o.mp4", "None of the pictures"),
        ("usb:7", "no USB camera number 7"),
        ("/dev/null", "is not a camera"),
        ("http://127.0.0.1:9/", "gives no stream"),
        ("face.jpg --model missing.tflite", "missing.tflite"),
        ("face.jpg --model text.mp4", "text.mp4"),
        ("face.jpg --jsonl no/o.jsonl", "no is no folder"),
        ("face.jpg --csv no/o.csv", "no is no folder"),
        ("face.jpg --video nothing", "nothing is a folder"),
        ("face.jpg --jsonl nothing", "nothing is a folder"),
        ("face.jpg --video o.gif", "let it end in .mp4"),
        ("face.jpg --video -", "Only --jsonl writes to stdout"),
        ("face.jpg --csv /dev/null", "is no ordinary file"),
        ("face.jpg --jsonl face.jpg", "is the source itself"),
        ("face.jpg --jsonl a.x --csv ./a.x", "the same file name"),
        ("face.jpg --duration 0", "--duration 0 is no time"),
        ("face.jpg --duration nan", "--duration nan is no time"),
        ("face.jpg --size 640x480", "--size and --fps are for cameras"),
        ("usb --size big", "--size big is no size"),
        ("usb --fps 0", "--fps 0 is no frame rate"),
        ("face.jpg --window", "no screen for --window"),
    ],
)
def test_what_is_wrong_gets_one_sentence_and_leaves_nothing(
    words: str,
    part: str,
    model: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    write_no_video(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    given = [] if "--model" in words else ["--model", model]
    assert in_process(monkeypatch, *words.split(), *given) == 2
    captured = capfd.readouterr()
    said = sentences(captured.err)
    assert part in said[-1]
    assert len(said) == (2 if words.startswith("bad") else 1)  # the bad picture has its own
    assert captured.out == ""
    assert sorted(tmp_path.rglob("*")) == before
    assert (tmp_path / "kept.csv").read_text() == "kept"


@pytest.mark.parametrize(
    "words", ["--threads 0", "--max-frames 0", "--max-frames many", "--colour", "a.mp4 b.mp4"]
)
def test_options_that_typer_refuses(
    words: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert in_process(monkeypatch, *words.split()) == 2
    assert "Traceback" not in capsys.readouterr().err


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
def test_a_full_disk_ends_the_run_with_a_sentence(
    model: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    table = tmp_path / "out.csv"
    words = [BOTH, "--model", model, "--jsonl", "/dev/full", "--csv", table]
    assert in_process(monkeypatch, *words) == 2
    said = sentences(capfd.readouterr().err)
    assert said == ["mien: /dev/full cannot be written: No space left on device."]
    assert left_over(tmp_path) == []


def test_signals_are_handled_only_while_listening() -> None:
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    stop = Stop()
    with stop.listening():
        signal.raise_signal(signal.SIGTERM)  # between two frames: nothing is thrown
        assert stop.requested
        with pytest.raises(Stopped), stop.waiting():
            raise AssertionError("nothing may be waited for any more")
        # The next one acts as without mien: nobody has to kill -9.
        assert {number: signal.getsignal(number) for number in before} == before
    stop = Stop()
    with stop.listening(), pytest.raises(Stopped), stop.waiting():
        signal.raise_signal(signal.SIGINT)
    assert {number: signal.getsignal(number) for number in before} == before


def test_nohup_is_respected() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        stop = Stop()
        with stop.listening():
            signal.raise_signal(signal.SIGHUP)
        assert not stop.requested
    finally:
        signal.signal(signal.SIGHUP, before)
