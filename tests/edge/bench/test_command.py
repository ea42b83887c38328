"""`mien bench`: what it prints, and what it refuses."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from made import is_one_sentence
from mien.bench import runner
from mien.bench.report import text

Mien = Callable[..., tuple[int, str, str]]
SCRIPTS = Path(__file__).parents[3] / "scripts"


def test_the_document_holds_what_was_measured_and_the_tables_show_it(
    mien: Mien, model_path: Path, shadowing_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(shadowing_folder)  # whose modules no child may import
    monkeypatch.setattr(runner, "SIZES", ((320, 240),))
    monkeypatch.setattr(runner, "FACES", (1, 5))
    code, out, err = mien("bench", "--model", model_path, "--json", "--frames", "3")
    assert code == 0, err
    (line,) = out.splitlines()  # nothing but the document
    document: dict[str, Any] = json.loads(line)
    cores = document["machine"]["usable_cores"]
    alone = document["classifier"]
    assert [entry["threads"] for entry in alone] == [*range(1, cores + 1)]
    assert [(e["faces"], e["width"], e["n"]) for e in document["pipeline"]] == [
        (1, 320, 3),
        (5, 320, 3),
    ]
    for entry in (*alone, *document["pipeline"]):
        for clock in ("wall_ms", "cpu_ms"):
            assert set(entry[clock]) == {"min", "median", "mean", "p95"}
    assert document["memory_mb"]["frames"] == 3
    assert "baseline" not in document

    shown = text(document)
    for words in ("classifier, one face", "1 threads", "XNNPACK", "320x240", "memory, MB:"):
        assert words in shown
    document["baseline"] = {
        "mien": document["pipeline"][0],
        "tutorial": {
            "classifier": "a network",
            **document["pipeline"][1],
            "ratio": {"cpu": 123.4, "wall": 99.0},
        },
    }
    shown = text(document)
    assert "the tutorial takes 123 times the CPU's and 99 times the wall's time" in shown
    assert "the package fer" not in shown


def test_without_json_the_document_is_still_the_last_line(
    mien: Mien, model_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner, "measure_all", lambda model, options: {"frames": options.frames})
    monkeypatch.setattr("mien.bench.report.text", lambda document: "tables\n")
    code, out, _err = mien("bench", "--model", model_path, "--frames", "30")
    assert code == 0
    assert out.splitlines() == ["tables", "", '{"frames": 30}']


def test_wrong_arguments_are_one_sentence(mien: Mien, model_path: Path, tmp_path: Path) -> None:
    code, _, err = mien("bench", "--model", model_path, "--fer", "python")
    assert code == 2
    assert is_one_sentence(err, "--fer", "--baseline")
    code, _, err = mien("bench", "--model", tmp_path / "none.tflite")
    assert code == 2
    assert is_one_sentence(err, "none.tflite")


def test_the_counting_script_is_a_script() -> None:
    script = SCRIPTS / "arm64" / "count.sh"
    assert os.access(script, os.X_OK)
    subprocess.run(["bash", "-n", str(script)], check=True)
