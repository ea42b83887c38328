from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from made import flatbuffer, write_model
from mien.tflite import model_file as modelfile
from mien.tflite.metadata import Metadata
from mien.tflite.model_file import load_model

Mien = Callable[..., tuple[int, str, str]]


def test_the_card_says_what_the_file_says(mien: Mien, model_path: Path) -> None:
    code, out, err = mien("info", model_path, "--all")
    assert (code, err) == (0, "")
    text = " ".join(out.split())
    metadata = load_model(model_path).metadata
    for words in (
        "bands 0.1",
        str(model_path),
        "angry, disgust, fear, happy, neutral, sad, surprise",
        "48x48 px",
        "+10%",
        "temperature 1.250",
        "below 0.40",
        metadata.sha256,
        "accuracy 100.0 %",
        "happy 50.0 %",
        "epochs 0",
        "Apache-2.0",
    ):
        assert words in text


def test_the_first_lines_are_enough_and_all_shows_the_rest(mien: Mien) -> None:
    _, short, _ = mien("info")
    assert len(short.splitlines()) <= 14
    assert "by people's labels on validation (PublicTest)" in short
    assert "training" not in short.splitlines()
    _, whole, _ = mien("info", "--all")
    assert whole.splitlines()[:11] == short.splitlines()[:11]
    assert "training" in whole.splitlines()


def test_json_is_the_metadata(mien: Mien, model_path: Path) -> None:
    code, out, _ = mien("info", model_path, "--json")
    assert code == 0
    assert Metadata.from_json(out) == load_model(model_path).metadata
    assert json.loads(out)["sha256"] == load_model(model_path).metadata.sha256


def test_without_a_name_it_is_the_default_model(
    mien: Mien, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(modelfile, "MODELS", tmp_path)
    write_model(tmp_path / "mien.tflite", name="shipped")
    code, out, _ = mien("info")
    assert code == 0
    assert out.startswith("shipped 0.1")


def test_anything_a_converter_may_state_can_be_shown(mien: Mien, tmp_path: Path) -> None:
    path = write_model(
        tmp_path / "m.tflite",
        metrics={"risk_coverage": [{"coverage": 0.5}] * 9, "recall": {"fear": None}, "empty": {}},
        training={"seed": 7, "versions": {"numpy": "2"}, "names": ["a", "b"], "flag": True},
        licences={},
    )
    code, out, _ = mien("info", path, "--all")
    assert code == 0
    assert "9 entries" in out
    assert "a, b" in out
    assert len(flatbuffer()) > 0


def test_commands_start_without_tensorflow_and_help_says_what_they_do(mien: Mien) -> None:
    code, out, _ = mien("--help")
    assert code == 0
    for command in ("image", "eval", "run", "info"):
        assert f" {command} " in out
    loaded = (
        "import sys, mien.cli; print([m for m in sys.modules if 'tensorflow' in m or 'keras' in m])"
    )
    answer = subprocess.run([sys.executable, "-c", loaded], capture_output=True, text=True)
    assert answer.stdout.strip() == "[]"


def test_progress_shows_on_a_terminal_only_and_is_taken_away() -> None:
    code = (
        "import time; from mien import console as p;"
        "p.PROGRESS_DELAY_S = p.REDRAW_INTERVAL_S = 0.01;"
        "[time.sleep(0.02) for _ in p.progress(range(10), 10, 'faces')]"
    )
    quiet = subprocess.run([sys.executable, "-c", code], capture_output=True)
    assert quiet.stderr == b""
    ours, theirs = pty.openpty()
    subprocess.run([sys.executable, "-c", code], stderr=theirs, check=True)
    os.close(theirs)
    shown = os.read(ours, 10000).decode()
    os.close(ours)
    assert "of 10 faces" in shown
    assert "left" in shown
    assert shown.endswith("\r\x1b[K")
