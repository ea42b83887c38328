"""What `mien run` refuses: one sentence, exit code 2, nothing written."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from clips import write_clip
from running import BOTH, left_over, sentences

Mien = Callable[..., tuple[int, str, str]]


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
        ("missing.mp4", "is not a file, folder or camera"),
        ("cut.mp4 --jsonl o.jsonl --csv kept.csv --video o.mp4", "cannot be read as a video"),
        ("text.mp4 --csv kept.csv", "cannot be read as a video"),
        ("empty.mp4 --csv kept.csv", "is empty"),
        ("nothing", "holds no pictures"),
        ("bad --jsonl o.jsonl --video o.mp4", "None of the pictures"),
        ("usb:7", "no USB camera number 7"),
        ("/dev/null", "is not a camera"),
        ("http://127.0.0.1:9/", "refuses the connection"),
        ("face.jpg --model missing.tflite", "missing.tflite"),
        ("face.jpg --model text.mp4", "text.mp4"),
        ("face.jpg --jsonl no/o.jsonl", "Folder no does not exist"),
        ("face.jpg --csv no/o.csv", "Folder no does not exist"),
        ("face.jpg --video nothing", "nothing is a folder"),
        ("face.jpg --jsonl nothing", "nothing is a folder"),
        ("face.jpg --video o.gif", "let it end in .mp4"),
        ("face.jpg --video -", "Only --jsonl writes to stdout"),
        ("face.jpg --csv /dev/null", "is a pipe or device"),
        ("face.jpg --jsonl face.jpg", "is the source itself"),
        ("face.jpg --jsonl a.x --csv ./a.x", "the same file name"),
        ("face.jpg --duration 0", "--duration must be above 0 seconds, got 0"),
        ("face.jpg --duration nan", "got nan"),
        ("face.jpg --size 640x480", "--size is for cameras"),
        ("usb --size big", "--size must be WIDTHxHEIGHT"),
        ("usb --fps 0", "--fps must be above 0"),
        ("face.jpg --give-up 0", "--give-up must be a number of seconds above 0"),
        ("face.jpg --stall nan", "--stall must be a number of seconds"),
        ("picamera --focus 0", "--focus must be a distance"),
        ("face.jpg --gain 2", "are for a Pi camera"),
        ("face.jpg --budget lots", "Invalid --budget 'lots'"),
        ("face.jpg --window", "no screen for --window"),
    ],
)
def test_what_is_wrong_gets_one_sentence_and_leaves_nothing(
    words: str,
    part: str,
    model_path: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    mien: Mien,
) -> None:
    write_no_video(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    given = [] if "--model" in words else ["--model", model_path]
    code, out, err = mien("run", *words.split(), *given)
    assert code == 2
    said = sentences(err)
    assert part in said[-1]
    assert len(said) == (2 if words.startswith("bad") else 1)  # the bad picture has its own
    assert out == ""
    assert sorted(tmp_path.rglob("*")) == before
    assert (tmp_path / "kept.csv").read_text() == "kept"


@pytest.mark.parametrize(
    "words", ["--threads 0", "--max-frames 0", "--max-frames many", "--colour", "a.mp4 b.mp4"]
)
def test_options_that_typer_refuses(words: str, mien: Mien) -> None:
    code, _, err = mien("run", *words.split())
    assert code == 2
    assert "Traceback" not in err


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
def test_a_full_disk_ends_the_run_with_a_sentence(
    model_path: Path, tmp_path: Path, mien: Mien
) -> None:
    table = tmp_path / "out.csv"
    code, _, err = mien("run", BOTH, "--model", model_path, "--jsonl", "/dev/full", "--csv", table)
    assert code == 2
    said = sentences(err)
    assert said == ["mien: /dev/full cannot be written: No space left on device."]
    assert left_over(tmp_path) == []
