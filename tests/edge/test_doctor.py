"""`mien doctor`: each check finds what it looks for and says what to do."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge import board, config
from edge.classifier import Classifier
from edge.config import parameters, read_settings
from edge.doctor import check, network, options, packages, service
from edge.doctor import model as model_checks
from edge.doctor.check import Check
from edge.doctor.everything import everything, text
from edge.doctor.heat import heat
from edge.doctor.system import system
from edge.modelfile import MODELS, load_model
from edge.service.unit import Plan, unit

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


def put(root: Path, files: dict[str, str]) -> Path:
    for name, content in files.items():
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content)
    return root


def by_name(checks: Any) -> dict[str, Check]:
    return {found.name: found for found in checks}


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
        [sys.executable, "-c", "from edge.start import main; main()", *words],
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


# --- packages -------------------------------------------------------------------------------------


def having(**versions: str) -> Callable[[str], str | None]:
    known = {name.replace("_", "-"): version for name, version in versions.items()}
    return lambda name: known.get(name)


NORMAL = {"mien": "1", "numpy": "2.4.6", "opencv_python": "4.14.0", "ai_edge_litert": "2.3.0"}


@pytest.mark.parametrize(
    ("versions", "name", "words"),
    [
        ({"tflite_runtime": "2.14.0", "ai_edge_litert": ""}, "numpy", 'pip install "numpy<2"'),
        ({"opencv_python_headless": "4.11.0"}, "opencv", "pip uninstall opencv-python opencv-"),
        ({"ai_edge_litert": ""}, "interpreter", "pip install ai-edge-litert"),
        ({"numpy": ""}, "numpy", "pip install"),
    ],
)
def test_packages_that_do_not_go_together(
    tmp_path: Path, versions: dict[str, str], name: str, words: str
) -> None:
    well = by_name(packages.packages(tmp_path, having(**NORMAL)))
    assert [one for one in well.values() if one.state == "fail"] == []
    found = by_name(packages.packages(tmp_path, having(**{**NORMAL, **versions})))
    assert found[name].state == "fail"
    assert words in found[name].remedy


def test_opencv_5_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Cv2:
        __version__ = "5.0.0"

    monkeypatch.setitem(sys.modules, "cv2", Cv2)
    found = by_name(packages.packages(tmp_path, having(**NORMAL)))["opencv"]
    assert found.state == "fail"
    assert "<5" in found.remedy


def test_a_clash_of_numpys_is_known_by_its_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def clash(name: str) -> tuple[None, str]:
        return None, "numpy.core.multiarray failed to import"

    monkeypatch.setattr(packages, "imported", clash)
    found = by_name(packages.packages(tmp_path, having(**NORMAL)))["opencv"]
    assert "numpy<2" in found.remedy


def test_picamera2_that_this_environment_does_not_see(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "picamera2", None)

    def found(root: Path) -> Check:
        return by_name(packages.packages(root, having(**NORMAL)))["picamera2"]

    assert found(tmp_path).state == "skip"
    (tmp_path / "usr/lib/python3/dist-packages/picamera2").mkdir(parents=True)
    environment = tmp_path / "venv"
    put(environment, {"pyvenv.cfg": "include-system-site-packages = false\n"})
    monkeypatch.setattr(sys, "prefix", str(environment))
    assert found(tmp_path).state == "fail"
    assert "--system-site-packages" in found(tmp_path).remedy
    put(environment, {"pyvenv.cfg": "include-system-site-packages = true\n"})
    assert "numpy<2" in found(tmp_path).remedy


# --- the model ------------------------------------------------------------------------------------


def test_every_shipped_model_gives_its_reference_answer() -> None:
    """After a model is replaced: python scripts/write_references.py."""
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
    monkeypatch.setattr("edge.classifier._delegated", lambda interpreter: False)
    found = by_name(model_checks.model())["kernels"]
    assert found.state == "warn"
    assert "/sys" in found.remedy


# --- the network ----------------------------------------------------------------------------------


@pytest.fixture
def port() -> Iterator[int]:
    """A port on which somebody listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def answering(answer: bytes) -> tuple[socket.socket, list[bytes]]:
    server = socket.create_server(("127.0.0.1", 0))
    heard: list[bytes] = []

    def serve() -> None:
        connection, _ = server.accept()
        with connection:
            heard.append(connection.recv(100))
            connection.sendall(answer)
            if answer:
                with contextlib.suppress(OSError):
                    connection.recv(100)

    threading.Thread(target=serve, daemon=True).start()
    return server, heard


def test_a_port_that_is_taken_fails(port: int) -> None:
    found = network.page(f"127.0.0.1:{port}")
    assert found.state == "fail"
    assert f"{port}" in found.remedy
    assert network.page(str(port), service_runs=True).state == "ok"  # by the service itself
    assert network.page("80").state == "warn"
    assert network.page("http").state == "fail"


def test_a_free_port_is_free(port: int) -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        free = probe.getsockname()[1]
    assert network.page(f"localhost:{free}").state == "ok"


@pytest.mark.parametrize(
    ("answer", "state", "words"),
    [
        (b"\x20\x02\x00\x00", "ok", "answers"),
        (b"\x20\x02\x00\x05", "ok", "wants a user name and password"),
        (b"HTTP/1.1 400 Bad Request", "fail", "speaks something else"),
        (b"", "fail", "hangs up"),
    ],
)
def test_a_broker_is_known_by_its_answer(answer: bytes, state: str, words: str) -> None:
    server, heard = answering(answer)
    with server:
        found = network.broker(f"mqtt://anna@127.0.0.1:{server.getsockname()[1]}/mien")
    assert (found.state, "anna" in found.found) == (state, False)
    assert words in found.found
    assert heard[0][:1] == b"\x10"
    assert heard[0][1] == len(heard[0]) - 2


def test_a_broker_that_is_not_there_fails() -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        free = probe.getsockname()[1]
    found = network.broker(f"mqtt://127.0.0.1:{free}/mien")
    assert found.state == "fail"
    assert "refused" in found.found
    assert network.broker("broker/mien").state == "fail"
    assert by_name(network.network({}))["broker"].state == "skip"


# --- options and service --------------------------------------------------------------------------


def command(token: str = "", threads: int = 1) -> None:
    """Stand in for `mien run`."""


def test_options_that_nobody_takes_and_secrets_that_all_may_read(tmp_path: Path) -> None:
    file = tmp_path / "mien.toml"
    file.write_text('token = "abc"\n')
    file.chmod(0o644)
    environment = {"MIEN_TREADS": "2", "MIEN_THREADS": "2", "MIEN_TEST_DATA": "x"}
    settings = read_settings(command, str(file), environment)
    known = parameters(command)
    found = by_name(options.options(file, settings, known, environment))
    assert found["options"].found == f"{file}: token"
    assert "abc" not in repr(found)
    assert found["secrets"].state == "warn"
    assert found["environment"].found.startswith("MIEN_TREADS: ")
    file.chmod(0o640)
    found = by_name(options.options(file, settings, known, {}))
    assert set(found) == {"options"}


PLAN = Plan(Path("/bin/true"), Path("/etc/mien.toml"), None)


@pytest.mark.parametrize(
    ("said", "state", "words"),
    [
        ("LoadState=loaded\nActiveState=active\nNRestarts=0\n", "ok", "runs"),
        ("LoadState=loaded\nActiveState=active\nNRestarts=7\n", "warn", "restarted 7 times"),
        ("LoadState=loaded\nActiveState=failed\nResult=watchdog\n", "fail", "watchdog"),
        ("LoadState=not-found\nActiveState=inactive\n", "skip", "not installed"),
    ],
)
def test_the_services_state(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str, state: str, words: str
) -> None:
    root = put(
        tmp_path,
        {
            "etc/systemd/system/mien.service": unit(PLAN),
            "sys/fs/cgroup/cgroup.controllers": "cpuset cpu io pids\n",
            "bin/systemctl": f"#!/bin/sh\nprintf '{said}'\n",
        },
    )
    assert by_name(service.service(PLAN, root))["service"].found.startswith("systemd does not run")
    (root / "run/systemd/system").mkdir(parents=True)
    (root / "bin/systemctl").chmod(0o755)
    monkeypatch.setenv("PATH", f"{root / 'bin'}:{os.environ['PATH']}")
    found = by_name(service.service(PLAN, root))
    assert found["service"].state == state
    assert words in found["service"].found
    if state != "skip":
        assert "cgroup_enable=memory" in found["memory limit"].remedy
        assert "service unit" not in found
    shutil.copy(__file__, root / "etc/systemd/system/mien.service")
    assert ("service unit" in by_name(service.service(PLAN, root))) == (state != "skip")


def test_everything_is_checked_on_a_pi_without_any_option(
    pi: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(config, "CONFIG", tmp_path / "none.toml")
    found = by_name(everything(None, pi))
    assert found["board"].state == "ok"
    assert len(found) >= 20
