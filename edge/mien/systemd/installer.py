"""Installer of the service: user, options file, unit, and their removal."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mien.errors import UserError
from mien.systemd.unit import (
    ENVIRONMENT_FILE,
    SERVICE_USER,
    UNIT_NAME,
    UnitOptions,
    network_for,
    unit_text,
)

UNIT_PATH = Path("etc/systemd/system") / UNIT_NAME
CONFIG_PATH = Path("etc/mien.toml")
STATE_FOLDER = Path("var/lib/mien")
SYSTEMD_RUNNING = Path(
    "run/systemd/system"
)  # there where systemd is the first process: sd_booted(3)
EXAMPLE_CONFIG = """\
# Options of `mien run` for the service; `mien run --help` lists them all. Names are those of the
# command line without dashes in front. Files without a folder are written in /var/lib/mien.
# After a change: sudo mien service install

source = "auto"             # the Pi camera, else the first USB camera
# size = "640x480"
# jsonl = "faces-{date}.jsonl"
# jsonl-keep = "30 days"
# every = 1                 # seconds between two lines
"""


@dataclass(frozen=True)
class Host:
    """The machine that gets the service; a test hands over a folder as its root."""

    root: Path = Path("/")

    def run(self, *words: str, check: bool = True) -> str:
        """Run a program of the system and return what it prints; raises UserError."""
        program = shutil.which(words[0], path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
        if program is None:
            raise UserError(f"There is no {words[0]} on this machine; the service needs it.")
        done = subprocess.run([program, *words[1:]], capture_output=True, text=True)
        if check and done.returncode:
            said = (done.stderr or done.stdout).strip().splitlines() or ["no reason given"]
            raise UserError(f"`{' '.join(words)}` failed ({said[-1]}); nothing after it was done.")
        return done.stdout

    def has_systemd(self) -> bool:
        """Whether systemd runs this machine."""
        return (self.root / SYSTEMD_RUNNING).is_dir()


@dataclass(frozen=True)
class ServiceState:
    """Status of the service, as systemd reports it."""

    installed: bool
    active: str  # "active", "activating", "failed", "inactive"
    enabled: str  # "enabled", "disabled", ""
    status: str  # the service's own words
    since: str
    restarts: int
    result: str  # "success", "watchdog", "exit-code", ...
    memory: int | None  # bytes
    current: bool  # whether the unit is as `install` would write it now


def service_environment(file: Path = ENVIRONMENT_FILE) -> dict[str, str]:
    """Return the service's environment variables; none if this user cannot read the file."""
    try:
        lines = file.read_text("utf-8", "replace").splitlines()
    except OSError:
        return {}
    pairs = [line.strip().partition("=")[::2] for line in lines if "=" in line]
    return {name: value.strip("\"'") for name, value in pairs if not name.startswith("#")}


def unit_options(
    values: Mapping[str, Any], config: Path, program: Path | None = None
) -> UnitOptions:
    """Return the unit's options for the options of a run."""
    return UnitOptions(
        program or Path(sys.prefix) / "bin" / "mien",
        config,
        network_for(values),
        values.get("fps"),
        values.get("stall"),
        append=values.get("append") is not False,
    )


def install(host: Host, options: UnitOptions, start: bool = True) -> list[str]:
    """Install or renew the service and return what was done, a sentence each; raises UserError."""
    check_host(host)
    check_program(options.program)
    done = []
    if not _user_exists(host):
        host.run(
            *("useradd", "--system", "--user-group", "--no-create-home", "--groups", "video"),
            *("--home-dir", "/var/lib/mien", "--shell", "/usr/sbin/nologin", SERVICE_USER),
        )
        done.append(f"made the user {SERVICE_USER}, in the group video")
    else:
        host.run("usermod", "--append", "--groups", "video", SERVICE_USER)
    config = host.root / CONFIG_PATH
    if not config.exists():
        _write_file(config, EXAMPLE_CONFIG, 0o640)
        done.append(f"wrote /{CONFIG_PATH}: its options are yours to change")
    # A password or token may stand in it.
    host.run("chgrp", SERVICE_USER, str(config))
    file = host.root / UNIT_PATH
    text = unit_text(options)
    changed = not file.exists() or file.read_text() != text
    if changed:
        _write_file(file, text, 0o644)
        reach = f"with the network, for {options.network}" if options.network else "without network"
        done.append(f"wrote /{UNIT_PATH}, {reach}")
    host.run("systemctl", "daemon-reload")
    host.run("systemctl", "enable", UNIT_NAME)
    done.append("it starts with the system")
    if start:
        # Not waited for: without a camera it only counts as started when one is there.
        host.run("systemctl", "restart", "--no-block", UNIT_NAME)
        done.append("it is starting: `mien service status` and `journalctl -u mien -f` tell more")
    return done


def uninstall(host: Host, purge: bool = False) -> list[str]:
    """Stop and remove the service and its user; with `purge` also options and recordings."""
    check_host(host)
    done = []
    file = host.root / UNIT_PATH
    if file.exists():
        host.run("systemctl", "disable", "--now", UNIT_NAME)
        file.unlink()
        host.run("systemctl", "daemon-reload")
        done.append("stopped and removed the service")
    if _user_exists(host):
        host.run("userdel", SERVICE_USER)
        done.append(f"removed the user {SERVICE_USER}")
    config, recordings = host.root / CONFIG_PATH, host.root / STATE_FOLDER
    if purge:
        config.unlink(missing_ok=True)
        if recordings.exists():
            shutil.rmtree(recordings)
        done.append(f"removed /{CONFIG_PATH} and /{STATE_FOLDER}")
    else:
        kept = [f"/{path}" for path in (CONFIG_PATH, STATE_FOLDER) if (host.root / path).exists()]
        if kept:
            done.append(f"left {' and '.join(kept)} where they are (--purge removes them)")
    return done or ["there was no service"]


def service_state(host: Host, options: UnitOptions) -> ServiceState:
    """Return the status of the service; raises UserError where there is no systemd."""
    if not host.has_systemd():
        raise UserError("This machine does not use systemd, so there is no service.")
    names = (
        *("LoadState", "ActiveState", "UnitFileState", "StatusText", "ActiveEnterTimestamp"),
        *("NRestarts", "Result", "MemoryCurrent"),
    )
    printed = host.run("systemctl", "show", UNIT_NAME, "--property=" + ",".join(names), check=False)
    said = dict(line.partition("=")[::2] for line in printed.splitlines() if "=" in line)
    file = host.root / UNIT_PATH
    memory, restarts = said.get("MemoryCurrent", ""), said.get("NRestarts", "")
    return ServiceState(
        installed=said.get("LoadState") == "loaded",
        active=said.get("ActiveState", ""),
        enabled=said.get("UnitFileState", ""),
        status=said.get("StatusText", ""),
        since=said.get("ActiveEnterTimestamp", ""),
        restarts=int(restarts) if restarts.isdigit() else 0,
        result=said.get("Result", ""),
        memory=int(memory) if memory.isdigit() and len(memory) < 19 else None,
        current=file.exists() and file.read_text() == unit_text(options),
    )


def check_host(host: Host) -> None:
    """Raise UserError where no service can be installed."""
    if not host.has_systemd():
        raise UserError(
            "This machine does not use systemd; start `mien run` from your init system, "
            "or see the unit with `mien service install --print`."
        )
    if os.geteuid() != 0 and host.root == Path("/"):
        raise UserError("Only root can change services; run it with sudo.")


def check_program(program: Path) -> None:
    """Raise UserError where the service's own user could not run mien."""
    if not os.access(program, os.X_OK):
        raise UserError(
            f"There is no {program}; run the `mien` of the virtual environment that the service "
            "is to use, or scripts/install-pi.sh."
        )
    for folder in program.parents:
        if not stat.S_IMODE(folder.stat().st_mode) & stat.S_IXOTH or folder == Path("/home"):
            raise UserError(
                f"{program} lies under {folder}, which the service may not enter; "
                "install mien with scripts/install-pi.sh, which puts it into /opt/mien."
            )


def _user_exists(host: Host) -> bool:
    try:
        passwd = (host.root / "etc/passwd").read_text("utf-8", "replace")
    except OSError:
        return False
    return any(line.startswith(f"{SERVICE_USER}:") for line in passwd.splitlines())


def _write_file(file: Path, text: str, mode: int) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_name(f".{file.name}.part")
    part.touch(mode)
    part.chmod(mode)
    part.write_text(text)
    part.replace(file)
