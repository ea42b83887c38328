"""`mien doctor` on what surrounds mien: packages, network, options, the service."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from findings import by_name, put
from mien.config import parameters, read_settings
from mien.doctor import config as options
from mien.doctor import network, packages, service
from mien.doctor.check import Check
from mien.systemd.unit import UnitOptions, unit_text

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
    tmp_path: Path,
    versions: dict[str, str],
    name: str,
    words: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Either interpreter may be the one that is installed here.
    really = packages.imported
    monkeypatch.setattr(
        packages, "imported", lambda n: (None, "") if "interpreter" in n else really(n)
    )
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


def test_a_host_that_is_none_is_not_a_port_that_is_taken() -> None:
    found = network.page("no-such-host.invalid:8080")
    assert (found.state, "ss -ltnp" in found.remedy) == ("fail", False)
    assert "not an address of this machine" in found.found


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


PLAN = UnitOptions(Path("/bin/true"), Path("/etc/mien.toml"), None)


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
            "etc/systemd/system/mien.service": unit_text(PLAN),
            "sys/fs/cgroup/cgroup.controllers": "cpuset cpu io pids\n",
            "bin/systemctl": f"#!/bin/sh\nprintf '{said}'\n",
        },
    )
    assert by_name(service.service(PLAN, root))["service"].found.endswith("does not use systemd")
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
