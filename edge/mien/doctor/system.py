"""The machine: board, architecture, system, Python, memory, disk, cores."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from mien import board
from mien.doctor.check import Check

PYTHONS = ((3, 10), (3, 13))
MACHINES = ("aarch64", "arm64", "x86_64", "AMD64")  # those the interpreter has wheels for
RELEASES = ("bookworm", "trixie")
STATE = "var/lib/mien"
MIB = 2**20
LITTLE_MEMORY = 150 * MIB  # a run holds about that
LITTLE_DISK = 200 * MIB
NO_DISK = 20 * MIB


def system(root: Path = board.SYSTEM_ROOT, threads: int = 1) -> Iterator[Check]:
    """Check the machine; `threads` is how many the classifier is to have."""
    yield _board(root)
    yield _architecture()
    yield _release(root)
    yield _python()
    yield _memory(root)
    yield _disk(root)
    yield _cores(threads)


def _board(root: Path) -> Check:
    name = board.board_name(root)
    if board.is_pi(root):
        return Check("board", "ok", str(name))
    return Check(
        "board", "skip", f"no Raspberry Pi ({name or platform.machine()}); the rest is checked"
    )


def _architecture() -> Check:
    machine, bits = platform.machine(), 64 if sys.maxsize > 2**32 else 32
    found = f"{machine}, {bits}-bit Python"
    if bits == 32:
        remedy = "install the 64-bit Raspberry Pi OS: no TFLite interpreter has 32-bit Arm wheels"
        return Check("architecture", "fail", found, remedy)
    if machine not in MACHINES:
        return Check("architecture", "warn", found, "the interpreter is made for Arm and x86 only")
    return Check("architecture", "ok", found)


def _release(root: Path) -> Check:
    said = {}
    for name in ("etc/os-release", "usr/lib/os-release"):
        if (root / name).is_file():
            for line in (root / name).read_text("utf-8", "replace").splitlines():
                key, _, value = line.partition("=")
                said[key] = value.strip('"')
            break
    found = said.get("PRETTY_NAME") or platform.system()
    if board.is_pi(root) and said.get("VERSION_CODENAME") not in RELEASES:
        remedy = f"Mien is tried on Raspberry Pi OS {' and '.join(RELEASES)}: better install one"
        return Check("system", "warn", found, remedy)
    return Check("system", "ok", f"{found}, kernel {platform.release()}")


def _python() -> Check:
    found = f"{platform.python_version()} ({sys.executable})"
    low, high = PYTHONS
    if not low <= sys.version_info[:2] <= high:
        remedy = "install mien with Python 3.10 to 3.13"
        return Check("python", "fail", found, remedy)
    return Check("python", "ok", found)


def _memory(root: Path) -> Check:
    memory = board.memory(root)
    if memory is None:
        return Check("memory", "skip", "the system does not say")
    found = f"{memory.available // MIB} of {memory.total // MIB} MiB free"
    if memory.available < LITTLE_MEMORY:
        return Check("memory", "warn", found, "end other programs: a run needs about 150 MiB")
    return Check("memory", "ok", found)


def _disk(root: Path) -> Check:
    state = root / STATE
    folder = state if state.is_dir() and os.access(state, os.X_OK) else Path.cwd()
    free = shutil.disk_usage(folder).free
    found = f"{free // MIB} MiB free in {folder}"
    if free < NO_DISK:
        return Check("disk", "fail", found, "make room: nothing more can be written there")
    if free < LITTLE_DISK:
        return Check("disk", "warn", found, "make room: a day of --jsonl takes some 500 MiB")
    return Check("disk", "ok", found)


def _cores(threads: int) -> Check:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    found = f"{threads} of the classifier on {cores} cores"
    if cores and threads > cores:
        return Check("threads", "warn", found, f"give --threads {cores} at most: more is slower")
    return Check("threads", "ok", found)
