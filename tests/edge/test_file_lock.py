"""Locks on outputs: a second writer is refused, and a dead one holds nothing up."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from mien.child import code_command
from mien.errors import UserError
from mien.file_lock import locked
from mjpeg_server import network_camera
from running import CLIP, PATIENCE, left_over, run, sentences, start

HOLD = """
import pathlib, time
from mien.file_lock import locked
with locked(pathlib.Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def holder(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    command = code_command(f"exec({HOLD!r})", str(tmp_path / "faces.csv"))
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.wait()


def test_a_file_is_locked_once_and_free_afterwards(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    with locked(path), locked(tmp_path / "b.csv"):
        with pytest.raises(UserError, match="another process"), locked(path):
            pass
        with pytest.raises(UserError, match="another process"), locked(tmp_path / "." / "a.csv"):
            pass
    with locked(path):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_folder_is_locked_too(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    with locked(folder):
        folder.mkdir()
        with pytest.raises(UserError), locked(folder):
            pass


def test_a_killed_process_holds_nothing_up(holder: subprocess.Popen[str], tmp_path: Path) -> None:
    path = tmp_path / "faces.csv"
    with pytest.raises(UserError), locked(path):
        pass
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    with locked(path):
        pass
    assert list(tmp_path.iterdir()) == []


def test_where_nothing_can_be_locked_nothing_is_refused(tmp_path: Path) -> None:
    with locked(tmp_path / "no" / "such" / "folder.csv"):
        pass


def test_a_run_refuses_an_output_of_another_run(
    holder: subprocess.Popen[str], model_path: Path, tmp_path: Path
) -> None:
    out = tmp_path / "faces.csv"
    done = run(CLIP, "--model", model_path, "--csv", out, "--max-frames", 3)
    assert done.returncode == 2
    assert "faces.csv is being written by another process" in sentences(done.stderr)[-1]
    assert not out.exists()
    done = run(CLIP, "--model", model_path, "--csv", tmp_path / "mine.csv", "--max-frames", 3)
    assert done.returncode == 0
    assert (tmp_path / "mine.csv").exists()
    assert left_over(tmp_path) == [".lock-faces.csv"]  # the holder's


def test_two_runs_at_once_do_not_write_the_same_recording(model_path: Path, tmp_path: Path) -> None:
    out = tmp_path / "faces.jsonl"
    with network_camera() as camera:
        first = start(camera.address, "--model", model_path, "--jsonl", out)
        end = time.monotonic() + 30 * PATIENCE
        while not out.exists() and time.monotonic() < end:
            time.sleep(0.05)
        second = run(CLIP, "--model", model_path, "--jsonl", out)
        first.send_signal(signal.SIGINT)
        first.communicate(timeout=30 * PATIENCE)
    assert second.returncode == 2
    assert "another process" in second.stderr
    assert first.returncode == 0
    assert left_over(tmp_path) == []
