"""`mien run` in a process of its own, and what the tests look at afterwards."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import mien

DEMO = Path(mien.__file__).parent / "demo"
CLIP = DEMO / "clip.mp4"  # 640x480, 25 frames/s, two people in nearly every frame
BOTH = DEMO / "portraits" / "both.jpg"
PATIENCE = float(os.environ.get("TEST_PATIENCE", 1))  # times as slow, under an emulator
START = [sys.executable, "-c", "from mien.__main__ import main; main()", "run"]


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
    out, err = process.communicate(timeout=60 * PATIENCE)
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
