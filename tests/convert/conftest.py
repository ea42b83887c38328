"""What the tests of convert share: a tiny trained model, small data, the command line."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from stripes import Line, write_model, write_zip

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="session")
def small_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Kaggle archive of generated faces."""
    path = tmp_path_factory.mktemp("data") / "fer2013.zip"
    write_zip(path)
    return path


@pytest.fixture(scope="session")
def small_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny trained model.keras with a run.json beside it."""
    pytest.importorskip("keras")
    folder = tmp_path_factory.mktemp("run")
    write_model(folder / "model.keras")
    run = {"subset": "generated", "seed": 3, "data": "/somewhere/fer2013.zip"}
    run["command"] = "mien-train fit fer2013.zip --subset generated --seed 3 --run run"
    (folder / "run.json").write_text(json.dumps(run))
    return folder / "model.keras"


@pytest.fixture(scope="session")
def line(
    small_model: Path,
    small_data: Path,
    shadowing_folder: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Line:
    """The whole line, once, with a good calibration; the tests look at what it left.

    It runs in a folder whose modules have the names of packages: no child may import them.
    """
    out = tmp_path_factory.mktemp("out") / "stripes.tflite"
    command = [str(Path(sys.executable).with_name("mien-convert"))]
    done = subprocess.run(
        [*command, str(small_model), str(small_data), "--out", str(out)],
        capture_output=True,
        text=True,
        check=False,
        cwd=shadowing_folder,
        env={**os.environ, "SOURCE_DATE_EPOCH": "1700000000"},
    )
    return Line(out, done.returncode, done.stdout, done.stderr)


@pytest.fixture
def mien_convert(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Run:
    """Return a function that runs `mien-convert` in this process: exit code, stdout, stderr."""
    from mien_convert.cli import main

    def run(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["mien-convert", *map(str, arguments)])
        capfd.readouterr()
        code = 0
        try:
            main()
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else int(end.code is not None)
        return code, *capfd.readouterr()

    return run
