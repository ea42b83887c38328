"""Writing of the model file: metadata and card appear together, whenever the process is killed."""

from __future__ import annotations

import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
from mien.errors import UserError
from mien.tflite.model_file import Model, load_model
from mien_convert.metadata import check_writable, read_card, write

WRITER = """
import sys
from dataclasses import replace
from pathlib import Path
from mien.tflite.model_file import load_model
from mien_convert.metadata import write

model = load_model(sys.argv[1])
for number in range(1_000_000):
    version = str(number)
    metadata = replace(model.metadata, version=version)
    write(Path(sys.argv[2]), model.flatbuffer, metadata, lambda final: "card of " + final.version)
    print(version, flush=True)
"""


def test_write_killed_at_any_moment_leaves_one_version(model: Model, tmp_path: Path) -> None:
    out = tmp_path / "out.tflite"
    for delay_s in (0.011, 0.023, 0.037):
        command = [sys.executable, "-c", WRITER, str(model.path), str(out)]
        writer = subprocess.Popen(command, stdout=subprocess.PIPE)
        assert writer.stdout is not None
        writer.stdout.readline()  # it writes from now on
        time.sleep(delay_s)
        writer.kill()
        writer.wait()
        assert read_card(out) == f"card of {load_model(out).metadata.version}"


def test_write_with_a_failing_card_keeps_the_older_file(model: Model, tmp_path: Path) -> None:
    out = tmp_path / "out.tflite"
    write(out, model.flatbuffer, model.metadata, lambda final: "first")

    def fail(final: object) -> str:
        raise UserError("no card")

    with pytest.raises(UserError, match="no card"):
        write(out, model.flatbuffer, replace(model.metadata, version="2"), fail)
    assert read_card(out) == "first"
    assert [file.name for file in tmp_path.iterdir()] == ["out.tflite"]


def test_card_of_a_file_without_one_raises(model: Model) -> None:
    with pytest.raises(UserError, match="no card inside"):
        read_card(model.path)


@pytest.mark.parametrize("name", ["mien.bin", "file/x.tflite"])
def test_check_writable_of_an_impossible_output_raises(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError):
        check_writable(tmp_path / name)
