"""scripts/install-pi.sh: what it refuses, what it asks of apt, what it leaves behind."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SCRIPT = ROOT / "scripts" / "install-pi.sh"
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the script is for Linux")


class Machine:
    """A pretended system: files that the script looks at, and the system's programs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.root = folder / "root"
        self.tools = folder / "tools"
        self.calls = folder / "calls"
        self.calls.touch()
        self.tools.mkdir()
        self.put(
            "etc/os-release", 'PRETTY_NAME="Debian 12"\nID=debian\nVERSION_CODENAME=bookworm\n'
        )
        self.tool("uname", "echo aarch64")
        self.tool("getconf", "echo 64")
        self.tool("id", "echo 0")
        self.tool("ldconfig", "echo 'libGL.so.1 (x)'; echo 'libgthread-2.0.so.0 (x)'")
        self.tool("apt-get", ":")
        self.tool("apt-cache", ":")
        # A Python that has everything; `-m pip` and `-m venv` are only written down.
        self.python = folder / "tools" / "python3"
        self.interpreter()

    def interpreter(self, numpy: str = "", picamera2: bool = False) -> None:
        known = "raise SystemExit(0)" if picamera2 else "raise SystemExit(1)"
        self.tool(
            "python3",
            'case "$*" in\n'
            f'*find_spec*) exec {sys.executable} -c "{known}" ;;\n'
            f'*metadata*numpy*) echo "{numpy}"; exit ;;\n'
            '"-m venv"*) for last; do :; done; mkdir -p "$last/bin"\n'
            '  cp "$0" "$last/bin/python"; cp "$0.mien" "$last/bin/mien"\n'
            '  echo "include-system-site-packages = true" >"$last/pyvenv.cfg"; exit ;;\n'
            '"-m pip"*) exit ;;\n'
            "esac\n"
            f'exec {sys.executable} "$@"',
        )
        self.tool("python3.mien", ":")

    def put(self, name: str, content: str) -> None:
        file = self.root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content)

    def tool(self, name: str, script: str) -> None:
        file = self.tools / name
        file.write_text(f'#!/bin/sh\necho "{name} $*" >>{self.calls}\n{script}\n')
        file.chmod(0o755)

    def called(self, name: str) -> list[str]:
        return [line for line in self.calls.read_text().splitlines() if line.startswith(name)]

    def install(self, *words: str) -> subprocess.CompletedProcess[str]:
        places = ["--prefix", str(self.folder / "opt"), "--bin", str(self.folder / "bin")]
        return subprocess.run(
            ["bash", str(SCRIPT), *places, "--python", str(self.python), *words],
            capture_output=True,
            text=True,
            env={
                "PATH": f"{self.tools}:/usr/bin:/bin",
                "MIEN_ROOT": str(self.root),
                "HOME": str(self.folder),
            },
            timeout=120,
        )


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


@pytest.fixture
def wheel(tmp_path: Path) -> str:
    file = tmp_path / "mien-0.1.0-py3-none-any.whl"
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("edge/mien/__init__.py", "")
    return str(file)


@pytest.mark.parametrize(
    ("tool", "answer", "words"),
    [
        ("getconf", "echo 32", "32-bit"),
        ("uname", "echo armv7l", "armv7l"),
        ("python3", "echo Python 3.9.2; exit 1", "Python 3.9.2"),
    ],
)
def test_an_unfit_machine_is_refused(
    machine: Machine, wheel: str, tool: str, answer: str, words: str
) -> None:
    machine.tool(tool, answer)
    done = machine.install("--wheel", wheel)
    assert done.returncode != 0
    assert done.stderr.startswith("mien: ")
    assert len(done.stderr.splitlines()) == 1
    assert words in done.stderr
    assert not (machine.folder / "opt").exists()


@pytest.mark.parametrize(
    ("release", "words"),
    [
        ("ID=debian\nVERSION_CODENAME=bullseye\nPRETTY_NAME=Eleven\n", "Eleven is too old"),
        ("ID=fedora\n", "no Debian"),
    ],
)
def test_an_unfit_system_is_refused(machine: Machine, wheel: str, release: str, words: str) -> None:
    machine.put("etc/os-release", release)
    done = machine.install("--wheel", wheel)
    assert done.returncode == 2
    assert words in done.stderr


@pytest.mark.parametrize(
    "words",
    [["--camera", "film"], ["--wheel"], ["--wheel", "none.whl"], ["--faster"], ["--prefix", "x"]],
)
def test_a_wrong_option_is_refused_in_one_sentence(machine: Machine, words: list[str]) -> None:
    done = machine.install(*words)
    assert done.returncode == 2
    assert done.stderr.startswith("mien: ")
    assert len(done.stderr.splitlines()) == 1


def test_apt_is_asked_only_for_what_is_missing(machine: Machine, wheel: str) -> None:
    done = machine.install("--wheel", wheel, "--camera", "usb")
    assert done.returncode == 0, done.stderr
    assert machine.called("apt-get") == []
    machine.tool("ldconfig", "echo 'libGL.so.1 (x)'")
    assert machine.install("--wheel", wheel, "--camera", "pi").returncode == 0
    (asked,) = [call for call in machine.called("apt-get") if "install" in call]
    assert asked.endswith("--no-install-recommends libglib2.0-0 python3-picamera2")
    machine.calls.write_text("")
    machine.interpreter(picamera2=True)
    machine.tool("ldconfig", "echo 'libGL.so.1 (x)'; echo 'libgthread-2.0.so.0 (x)'")
    assert machine.install("--wheel", wheel, "--camera", "pi").returncode == 0
    assert machine.called("apt-get") == []


def test_a_pi_camera_is_looked_for(machine: Machine, wheel: str) -> None:
    machine.put("proc/device-tree/model", "Raspberry Pi 4 Model B Rev 1.4\0")
    assert "of the kind: usb" in machine.install("--wheel", wheel).stdout
    machine.put("sys/class/video4linux/v4l-subdev0/name", "imx708_wide\n")
    assert "of the kind: pi" in machine.install("--wheel", wheel).stdout
    assert [call for call in machine.called("apt-get") if "python3-picamera2" in call]


def test_apt_needs_root(machine: Machine, wheel: str) -> None:
    machine.tool("id", "echo 1000")
    machine.tool("ldconfig", ":")
    done = machine.install("--wheel", wheel, "--camera", "usb")
    assert done.returncode == 2
    assert "apt has to install libgl1 libglib2.0-0: put sudo in front" in done.stderr


@pytest.mark.parametrize(
    ("camera", "numpy", "constraints"),
    [
        ("pi", "1.24.2", "constraints-bookworm.txt"),
        ("usb", "1.24.2", "constraints.txt"),
        ("pi", "2.2.4", "constraints.txt"),
        ("usb", "", "constraints.txt"),
    ],
)
def test_numpy_is_the_one_that_picamera2_was_built_on(
    machine: Machine, wheel: str, camera: str, numpy: str, constraints: str
) -> None:
    machine.interpreter(numpy=numpy, picamera2=True)
    assert machine.install("--wheel", wheel, "--camera", camera).returncode == 0
    (first, second) = [call for call in machine.called("python3 -m pip") if "install" in call]
    assert f"--constraint {ROOT / constraints} " in first
    assert "--only-binary=:all:" in first  # no compiler
    assert second.endswith(
        f"--no-index --force-reinstall {wheel}"
    )  # an upgrade of the same version


def test_page_and_mqtt_are_installed_unless_minimal(machine: Machine, wheel: str) -> None:
    assert machine.install("--wheel", wheel, "--minimal").returncode == 0
    assert not [call for call in machine.called("python3 -m pip") if "[" in call]


def test_extras_service_and_doctor_in_their_order(machine: Machine, wheel: str) -> None:
    done = machine.install("--wheel", wheel, "--service")
    assert done.returncode == 0, done.stderr
    assert [call for call in machine.called("python3 -m pip") if f"{wheel}[web,mqtt]" in call]
    assert machine.called("python3.mien") == ["python3.mien service install", "python3.mien doctor"]


def test_it_fails_where_the_doctor_finds_a_failure(machine: Machine, wheel: str) -> None:
    machine.tool("python3.mien", '[ "$1" != doctor ]')
    done = machine.install("--wheel", wheel)
    assert done.returncode == 1
    assert "FAIL" in done.stderr


def test_again_upgrades_and_uninstall_removes(machine: Machine, wheel: str) -> None:
    environment = machine.folder / "opt" / "venv"
    link = machine.folder / "bin" / "mien"
    for _ in range(2):
        assert machine.install("--wheel", wheel).returncode == 0
        assert link.readlink() == environment / "bin" / "mien"
    assert len(machine.called("python3 -m venv")) == 1  # the second time it was there
    # After an upgrade of the system the Python in it is gone.
    (environment / "bin" / "python").unlink()
    assert machine.install("--wheel", wheel).returncode == 0
    assert len(machine.called("python3 -m venv")) == 2
    machine.put("etc/systemd/system/mien.service", "")
    assert machine.install("--uninstall").returncode == 0
    assert machine.called("python3.mien service uninstall")
    assert not environment.exists()
    assert not link.is_symlink()
    assert machine.install("--uninstall").returncode == 0


def test_uninstall_leaves_another_mien_alone(machine: Machine) -> None:
    folder = machine.folder / "bin"
    folder.mkdir()
    (folder / "mien").symlink_to("/somewhere/else")
    assert machine.install("--uninstall").returncode == 0
    assert os.readlink(folder / "mien") == "/somewhere/else"  # noqa: PTH115
