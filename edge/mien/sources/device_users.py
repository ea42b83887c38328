"""Which other programs have a device open, from the links under /proc/*/fd."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

PROC = Path("/proc")
MAX_NAMED = 3  # programs that are named


def processes_using(held: Callable[[str], bool]) -> str | None:
    """Name the programs that have a path open for which `held` says yes: "motion (process 812)".

    None where none is seen: Linux shows other users' files to root only. This process is left out.
    """
    names = []
    for process in _processes():
        if any(held(path) for path in _open_paths(process)):
            names.append(f"{_name(process)} (process {process.name})")
    if not names:
        return None
    return ", ".join(names[:MAX_NAMED]) + (" and others" if len(names) > MAX_NAMED else "")


def processes_using_path(path: Path) -> str | None:
    """Name the programs that have this file or device open, as `processes_using` does."""
    real = os.path.realpath(path)
    return processes_using(lambda other: other == real)


def _processes() -> Iterator[Path]:
    own = str(os.getpid())
    try:
        entries = sorted((e for e in PROC.iterdir() if e.name.isdigit()), key=lambda e: int(e.name))
    except OSError:  # not Linux
        return
    yield from (entry for entry in entries if entry.name != own)


def _open_paths(process: Path) -> Iterator[str]:
    try:
        links = list((process / "fd").iterdir())
    except OSError:  # ended meanwhile, or another user's
        return
    for link in links:
        try:
            yield str(link.readlink())
        except OSError:
            continue


def _name(process: Path) -> str:
    """Return what a person would call it: for Python the script, for others the program."""
    try:
        words = (process / "cmdline").read_bytes().decode("utf-8", "replace").split("\0")
        name = (process / "comm").read_text().strip()
    except OSError:
        return "a program"
    if name.startswith("python"):
        name = next((Path(word).name for word in words[1:] if word[:1] not in ("-", "")), name)
    return name
