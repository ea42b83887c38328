"""The systemd service: its unit as systemd judges it, its installation on a pretended host."""

from __future__ import annotations

import shutil
import stat
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from mien.commands.service import describe_state
from mien.errors import UserError
from mien.systemd import installer
from mien.systemd.unit import UnitOptions, network_for, unit_text

ALONE = UnitOptions(Path("/bin/true"), Path("/etc/mien.toml"), None)
CONNECTED = replace(ALONE, network="the page")
needs_systemd = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed"
)


def entries(text: str) -> dict[str, str]:
    lines = [line for line in text.splitlines() if "=" in line and not line.startswith("#")]
    return dict(line.partition("=")[::2] for line in lines)


def analyze(tmp_path: Path, options: UnitOptions, *words: str) -> subprocess.CompletedProcess[str]:
    file = tmp_path / "mien.service"
    file.write_text(unit_text(options))
    return subprocess.run(
        ["systemd-analyze", *words, str(file)], capture_output=True, text=True, timeout=60
    )


@needs_systemd
@pytest.mark.parametrize("options", [ALONE, CONNECTED], ids=["alone", "connected"])
def test_systemd_finds_nothing_wrong_with_the_unit(tmp_path: Path, options: UnitOptions) -> None:
    done = analyze(tmp_path, options, "verify")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@needs_systemd
@pytest.mark.parametrize(
    ("options", "most"), [(ALONE, 1.0), (CONNECTED, 2.0)], ids=["alone", "net"]
)
def test_systemd_scores_the_unit_as_safe(tmp_path: Path, options: UnitOptions, most: float) -> None:
    done = analyze(tmp_path, options, "security", "--offline=true", "--no-pager")
    if "unrecognized option" in done.stderr:
        pytest.skip("this systemd-analyze scores no files")
    (line,) = [line for line in done.stdout.splitlines() if "Overall exposure level" in line]
    assert float(line.split(": ")[1].split()[0]) <= most, done.stdout  # 10 is no protection


def test_the_unit_leaves_what_the_interpreter_looks_at() -> None:
    said = entries(unit_text(ALONE))
    # XNNPACK switches itself off without /sys and /proc/cpuinfo.
    assert said.get("ProcSubset", "all") == "all"
    assert not {"InaccessiblePaths", "TemporaryFileSystem", "RootDirectory"} & set(said)
    assert said["ProtectKernelTunables"] == "yes"  # read-only, still there


def test_the_service_goes_on_with_its_recordings_unless_told_otherwise() -> None:
    for values, end in (
        ({}, " --append"),
        ({"append": True}, " --append"),
        ({"append": False}, ""),
    ):
        options = installer.unit_options(values, Path("/etc/mien.toml"), Path("/bin/true"))
        start = entries(unit_text(options))["ExecStart"]
        assert start == f"/bin/true run --config /etc/mien.toml{end}"


def test_the_unit_is_watched_and_hardened() -> None:
    said = entries(unit_text(ALONE))
    options = {
        "Type": "notify",
        "User": "mien",
        "SupplementaryGroups": "video",
        "ProtectSystem": "strict",
        "NoNewPrivileges": "yes",
        "LimitNOFILE": "1024",
        "PrivateNetwork": "yes",
        "StateDirectory": "mien",
        "Restart": "on-failure",
    }
    assert options.items() <= said.items()
    assert said["MemoryMax"]
    # Longer than the longest rest between two attempts to find a lost camera.
    assert int(said["WatchdogSec"]) >= 60
    assert (
        int(entries(unit_text(replace(ALONE, fps=0.01)))["WatchdogSec"]) == 300
    )  # frames in s: 100
    assert int(entries(unit_text(replace(ALONE, stall=300.0)))["WatchdogSec"]) > 330


def test_the_services_own_variables_count(tmp_path: Path) -> None:
    file = tmp_path / "mien"
    assert installer.service_environment(file) == {}
    file.write_text('# MIEN_MQTT=x\nMIEN_WEB="8080"\nMIEN_TOKEN=a=b\nnothing\n')
    assert installer.service_environment(file) == {"MIEN_WEB": "8080", "MIEN_TOKEN": "a=b"}


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({}, None),
        ({"source": "usb", "web": None, "on": ["sad>0.7 for 5s: beep"]}, None),
        ({"web": "8080"}, "the page"),
        ({"mqtt": "mqtt://broker/mien"}, "the broker"),
        ({"source": "rtsp://camera/"}, "the stream"),
        ({"on": ["sad>0.7 for 5s: http://bell/ring"]}, "a reaction"),
    ],
)
def test_the_network_is_there_for_what_needs_it(
    values: dict[str, object], reason: str | None
) -> None:
    assert network_for(values) == reason
    said = entries(unit_text(replace(ALONE, network=network_for(values))))
    assert ("PrivateNetwork" in said) == (reason is None)
    assert ("AF_INET6" in said["RestrictAddressFamilies"]) == (reason is not None)


# --- installing -----------------------------------------------------------------------------------


class PretendedHost:
    """A folder as the file system, and the system's programs as scripts that write down calls."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "root"
        self.calls_file = folder / "calls"
        self.calls_file.touch()
        self.tools = folder / "bin"
        self.tools.mkdir()
        for place in ("etc", "run/systemd/system", "var/lib"):
            (self.root / place).mkdir(parents=True)
        self.passwd = self.root / "etc/passwd"
        self.passwd.write_text("root:x:0:0:root:/root:/bin/bash\n")
        self.tool("useradd", f'echo "mien:x:990:990::/var/lib/mien:/x" >>{self.passwd}')
        self.tool("userdel", f"sed -i /^mien:/d {self.passwd}")
        for name in ("usermod", "chgrp", "systemctl"):
            self.tool(name, ":")

    def tool(self, name: str, script: str) -> None:
        file = self.tools / name
        file.write_text(f'#!/bin/sh\necho "{name} $*" >>{self.calls_file}\n{script}\n')
        file.chmod(0o755)

    def calls(self) -> list[str]:
        """Return the calls since the last time."""
        found = self.calls_file.read_text().splitlines()
        self.calls_file.write_text("")
        return found

    @property
    def host(self) -> installer.Host:
        return installer.Host(self.root)


@pytest.fixture
def pretended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> PretendedHost:
    host = PretendedHost(tmp_path)
    monkeypatch.setenv("PATH", f"{host.tools}:/usr/bin:/bin")
    return host


def test_install_makes_user_options_and_unit(pretended: PretendedHost) -> None:
    done = installer.install(pretended.host, ALONE)
    assert len(done) == 5
    calls = pretended.calls()
    (added,) = [call for call in calls if call.startswith("useradd")]
    assert "--system" in added
    assert "--groups video" in added
    assert [call for call in calls if call.startswith("systemctl")] == [
        "systemctl daemon-reload",
        "systemctl enable mien.service",
        "systemctl restart --no-block mien.service",
    ]
    assert (pretended.root / "etc/systemd/system/mien.service").read_text() == unit_text(ALONE)
    options = pretended.root / "etc/mien.toml"
    # A token may stand there: the service's group reads it, others do not.
    assert stat.S_IMODE(options.stat().st_mode) == 0o640
    assert f"chgrp mien {options}" in calls


def test_install_again_changes_what_changed(pretended: PretendedHost) -> None:
    installer.install(pretended.host, ALONE)
    options = pretended.root / "etc/mien.toml"
    options.write_text('source = "usb:1"\n')
    pretended.calls()
    done = installer.install(pretended.host, ALONE)
    assert not [sentence for sentence in done if "wrote" in sentence or "user" in sentence]
    assert not [call for call in pretended.calls() if call.startswith("useradd")]
    assert options.read_text() == 'source = "usb:1"\n'
    done = installer.install(pretended.host, CONNECTED, start=False)
    assert [sentence for sentence in done if "with the network, for the page" in sentence]
    assert not [call for call in pretended.calls() if "restart" in call]


def test_uninstall_keeps_what_is_the_persons(pretended: PretendedHost) -> None:
    installer.install(pretended.host, ALONE)
    (pretended.root / "var/lib/mien").mkdir()
    pretended.calls()
    done = installer.uninstall(pretended.host)
    assert pretended.calls() == [
        "systemctl disable --now mien.service",
        "systemctl daemon-reload",
        "userdel mien",
    ]
    assert not (pretended.root / "etc/systemd/system/mien.service").exists()
    assert "left /etc/mien.toml and /var/lib/mien" in done[-1]
    installer.uninstall(pretended.host, purge=True)
    assert not (pretended.root / "etc/mien.toml").exists()
    assert not (pretended.root / "var/lib/mien").exists()
    assert pretended.calls() == []


def test_a_failing_step_is_one_sentence(pretended: PretendedHost) -> None:
    pretended.tool("systemctl", "echo Failed to enable unit: refused >&2; exit 1")
    with pytest.raises(UserError, match=r"`systemctl daemon-reload` failed .*refused"):
        installer.install(pretended.host, ALONE)


def test_what_the_services_user_cannot_reach_is_refused(
    pretended: PretendedHost, tmp_path: Path
) -> None:
    program = tmp_path / "venv" / "bin" / "mien"
    with pytest.raises(UserError, match="There is no"):
        installer.install(pretended.host, replace(ALONE, program=program))
    program.parent.mkdir(parents=True)
    shutil.copy("/bin/true", program)
    (tmp_path / "venv").chmod(0o700)
    with pytest.raises(UserError, match="may not enter"):
        installer.install(pretended.host, replace(ALONE, program=program))
    assert pretended.calls() == []


def test_without_systemd_there_is_no_service(tmp_path: Path) -> None:
    for call in (
        lambda: installer.install(installer.Host(tmp_path), ALONE),
        lambda: installer.uninstall(installer.Host(tmp_path)),
        lambda: installer.service_state(installer.Host(tmp_path), ALONE),
    ):
        with pytest.raises(UserError, match="This machine does not use systemd"):
            call()


SHOWN = """LoadState=loaded
ActiveState=active
UnitFileState=enabled
StatusText=usb:0: 900 frames, 1 faces
ActiveEnterTimestamp=Sun 2026-11-22 10:00:00 UTC
NRestarts=2
Result=success
MemoryCurrent=104857600
"""


def test_status_is_what_systemd_says(pretended: PretendedHost) -> None:
    installer.install(pretended.host, ALONE)
    pretended.tool("systemctl", f"cat <<'END'\n{SHOWN}END")
    found = installer.service_state(pretended.host, ALONE)
    assert (found.active, found.restarts, found.memory) == ("active", 2, 104857600)
    text = describe_state(found)
    for words in ("runs since Sun", "usb:0: 900 frames", "restarted 2 times", "100 MiB"):
        assert words in text
    assert "changed since" not in text
    assert "changed since" in describe_state(installer.service_state(pretended.host, CONNECTED))
    pretended.tool("systemctl", "echo LoadState=not-found; echo ActiveState=inactive; exit 4")
    assert "not installed" in describe_state(installer.service_state(pretended.host, ALONE))


def test_the_command_prints_the_unit(mien: Callable[..., tuple[int, str, str]]) -> None:
    code, out, _ = mien("service", "install", "--print")
    assert code == 0
    start = f"{Path(sys.prefix) / 'bin/mien'} run --config /etc/mien.toml --append"
    assert entries(out)["ExecStart"] == start
