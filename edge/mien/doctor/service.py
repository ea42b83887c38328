"""The systemd service: whether it is there, runs, and fits the options."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

from mien.board import SYSTEM_ROOT
from mien.doctor.check import Check
from mien.systemd import installer
from mien.systemd.unit import UnitOptions

LOOK = "journalctl -u mien -n 50"


def service(options: UnitOptions, root: Path = SYSTEM_ROOT) -> Iterator[Check]:
    """Check the service; `options` are those that its unit should have."""
    host = installer.Host(root)
    if not host.has_systemd() or shutil.which("systemctl") is None:
        yield Check("service", "skip", "this machine does not use systemd")
        return
    found = installer.service_state(host, options)
    if not found.installed:
        remedy = "to start with the system: sudo mien service install"
        yield Check("service", "skip", "not installed", remedy)
        return
    yield _runs(found)
    if not found.current:
        found_text = "the unit is not as mien would write it now"
        yield Check("service unit", "warn", found_text, "sudo mien service install")
    yield _memory_limit(root)


def _runs(found: installer.ServiceState) -> Check:
    again = f", restarted {found.restarts} times" if found.restarts else ""
    if found.active == "active":
        return Check("service", "warn" if again else "ok", f"runs{again}", LOOK if again else "")
    if found.active in ("activating", "reloading"):
        return Check("service", "warn", f"starting, or waiting for its camera{again}", LOOK)
    if found.active == "failed":
        return Check("service", "fail", f"failed ({found.result}){again}", LOOK)
    return Check("service", "warn", f"{found.active}{again}", "sudo systemctl start mien")


def _memory_limit(root: Path) -> Check:
    """Check that MemoryMax works: Raspberry Pi OS starts with that part of the kernel off."""
    try:
        controllers = (root / "sys/fs/cgroup/cgroup.controllers").read_text().split()
    except OSError:
        return Check("memory limit", "skip", "the system does not say")
    if "memory" in controllers:
        return Check("memory limit", "ok", "in force")
    return Check(
        "memory limit",
        "warn",
        "this kernel was started without it",
        "add cgroup_enable=memory to the line in /boot/firmware/cmdline.txt and restart",
    )
