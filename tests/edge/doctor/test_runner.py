"""`mien doctor`: each check finds what it looks for and says what to do."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from findings import by_name, put
from mien import board, config
from mien.classification.classifier import Classifier
from mien.commands.doctor import load_run, load_service_options
from mien.doctor import check
from mien.doctor import model as model_checks
from mien.doctor.check import Check
from mien.doctor.runner import everything, text
from mien.doctor.system import system
from mien.doctor.thermal import heat
from mien.tflite.model_file import MODELS, load_model

Mien = Callable[..., tuple[int, str, str]]
PI = {
    "proc/device-tree/model": "Raspberry Pi 4 Model B Rev 1.4\0",
    "proc/meminfo": "MemTotal: 3885396 kB\nMemAvailable: 3000000 kB\n",
    "etc/os-release": 'PRETTY_NAME="Debian GNU/Linux 13 (trixie)"\nVERSION_CODENAME=trixie\n',
    "sys/class/thermal/thermal_zone0/type": "cpu-thermal\n",
    "sys/class/thermal/thermal_zone0/temp": "48200\n",
    "sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq": "600000\n",
    "sys/devices/system/cpu/cpu0/cpufreq/cpuinfo_max_freq": "1800000\n",
    "sys/devices/platform/soc/soc:firmware/get_throttled": "0\n",
}


@pytest.fixture
def pi(tmp_path: Path) -> Path:
    """The files of a healthy Raspberry Pi."""
    return put(tmp_path / "pi", PI)


# --- the command ----------------------------------------------------------------------------------


def test_the_command_checks_this_machine(mien: Mien) -> None:
    code, out, err = mien("doctor", "--json", "--config", "none")
    document = json.loads(out)
    found = {entry["name"]: entry for entry in document["checks"]}
    assert err == ""
    assert {"architecture", "python", "numpy", "opencv", "interpreter", "model", "kernels"} <= set(
        found
    )
    assert {"permissions", "temperature", "throttling", "memory", "disk", "page", "broker"} <= set(
        found
    )
    assert all(set(entry) == {"name", "state", "found", "remedy"} for entry in found.values())
    assert all(entry["state"] in check.STATES for entry in found.values())
    # What is wrong is never left without a remedy.
    assert not [e for e in found.values() if e["state"] in ("warn", "fail") and not e["remedy"]]
    assert document["raspberry_pi"] == board.is_pi()
    if not document["raspberry_pi"]:
        assert "no Raspberry Pi" in found["board"]["found"]
    assert found["reference face"]["state"] == "ok"
    assert document["ok"] == (code == 0)


def test_a_failure_is_exit_code_1_and_stands_out(
    mien: Mien, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(config, "CONFIG", tmp_path / "none.toml")
    file = tmp_path / "mien.toml"
    file.write_text("treads = 2\n")
    code, out, _ = mien("doctor", "--config", file)
    assert code == 1
    (line,) = [line for line in out.splitlines() if line.startswith("options")]
    assert "FAIL" in line
    assert "line 1: there is no option treads" in " ".join(out.split())


def test_a_check_that_breaks_is_a_finding() -> None:
    def broken() -> Iterator[Check]:
        yield Check("one", "ok", "fine")
        raise OSError("the bus is on fire")

    first, second = check.run("bus", broken)
    assert first.state == "ok"
    assert (second.name, second.state) == ("bus", "fail")
    assert "the bus is on fire" in second.found


def test_the_table_says_what_to_do_beside_what_is_wrong() -> None:
    shown = text([Check("a", "ok", "x"), Check("long name", "fail", "y" * 120, "do z")])
    assert shown.splitlines()[0] == "a          ok    x"
    assert "-> do z" in shown
    assert shown.endswith("1 failed, 0 to look at, of 2 checks")
    assert max(len(line) for line in shown.splitlines() if "y" not in line) <= 100


@pytest.mark.parametrize("words", [["doctor", "--json"], ["info"]])
def test_the_doctor_is_there_where_opencv_does_not_import(tmp_path: Path, words: list[str]) -> None:
    (tmp_path / "cv2.py").write_text('raise ImportError("libGL.so.1: cannot open shared object")')
    done = subprocess.run(
        [sys.executable, "-c", "from mien.__main__ import main; main()", *words],
        capture_output=True,
        text=True,
        env={
            **os.environ,
            "PYTHONPATH": f"{tmp_path}{os.pathsep}{Path(board.__file__).parents[1]}",
        },
    )
    assert "Traceback" not in done.stderr
    if words == ["info"]:
        assert done.returncode == 2
        assert done.stderr.startswith("mien: A package does not import (libGL.so.1")
        return
    assert done.returncode == 1
    found = {entry["name"]: entry for entry in json.loads(done.stdout)["checks"]}
    assert found["opencv"]["state"] == "fail"
    assert found["opencv"]["remedy"] == "sudo apt install libgl1 libglib2.0-0"
    assert found["numpy"]["state"] == "ok"


# --- the machine ----------------------------------------------------------------------------------


def test_a_healthy_pi_is_well(pi: Path) -> None:
    found = by_name([*system(pi), *heat(pi)])
    assert found["board"] == Check("board", "ok", "Raspberry Pi 4 Model B Rev 1.4")
    assert found["memory"].found == "2929 of 3794 MiB free"
    assert found["temperature"].found == "48.2 degrees C"
    assert found["throttling"].state == "ok"
    assert not [one for one in found.values() if one.state in ("warn", "fail")]


@pytest.mark.parametrize(
    ("file", "content", "name", "state", "words"),
    [
        ("proc/meminfo", "MemTotal: 437552 kB\nMemAvailable: 90000 kB\n", "memory", "warn", "end"),
        ("etc/os-release", "VERSION_CODENAME=bullseye\n", "system", "warn", "bookworm"),
        ("sys/class/thermal/thermal_zone0/temp", "84100\n", "temperature", "fail", "heat sink"),
        ("sys/class/thermal/thermal_zone0/temp", "76000\n", "temperature", "warn", "heat sink"),
    ],
)
def test_an_unwell_pi_is_told(
    pi: Path, file: str, content: str, name: str, state: str, words: str
) -> None:
    found = by_name([*system(put(pi, {file: content})), *heat(pi)])[name]
    assert found.state == state
    assert words in found.remedy


@pytest.mark.parametrize(
    ("bits", "state", "found", "remedy"),
    [
        (
            "50005",
            "fail",
            "now: under-voltage, throttled; since the start: under-voltage",
            "supply",
        ),
        ("80000", "warn", "now: none; since the start: soft temperature limit", "heat sink"),
    ],
)
def test_throttling_is_spelled_out(
    pi: Path, bits: str, state: str, found: str, remedy: str
) -> None:
    put(pi, {"sys/devices/platform/soc/soc:firmware/get_throttled": bits})
    throttling = by_name(heat(pi))["throttling"]
    assert throttling.state == state
    assert found in throttling.found
    assert remedy in throttling.remedy


def test_more_threads_than_cores_are_told(pi: Path) -> None:
    assert by_name(system(pi, threads=4096))["threads"].state == "warn"


# --- the model ------------------------------------------------------------------------------------


def test_every_shipped_model_gives_its_reference_answer() -> None:
    """After a model is replaced: python scripts/record_answers.py."""
    for file in MODELS.glob("*.tflite"):
        found = by_name(model_checks.model(str(file)))
        assert found["reference face"].state == "ok", f"{file}: {found['reference face']}"
    known = json.loads(model_checks.REFERENCES.read_text())
    shipped = {load_model(file).metadata.sha256 for file in MODELS.glob("*.tflite")}
    assert set(known) == shipped


def test_a_model_that_answers_otherwise_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    right = Classifier.logits

    def turned(self: Classifier, faces: np.ndarray) -> np.ndarray:
        return right(self, faces)[:, ::-1]

    monkeypatch.setattr(Classifier, "logits", turned)
    assert by_name(model_checks.model())["reference face"].state == "fail"


def test_a_damaged_model_fails(tmp_path: Path, model_path: Path) -> None:
    assert by_name(model_checks.model(str(model_path)))["reference face"].state == "skip"
    broken = tmp_path / "broken.tflite"
    broken.write_bytes(model_path.read_bytes()[:-100])
    (found,) = model_checks.model(str(broken))
    assert found.state == "fail"
    assert found.remedy


def test_slow_kernels_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mien.classification.classifier.uses_delegate", lambda interpreter: False)
    found = by_name(model_checks.model())["kernels"]
    assert found.state == "warn"
    assert "/sys" in found.remedy


def test_everything_is_checked_on_a_pi_without_any_option(
    pi: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(config, "CONFIG", tmp_path / "none.toml")
    found = by_name(everything(load_run, load_service_options, None, pi))
    assert found["board"].state == "ok"
    assert len(found) >= 20
