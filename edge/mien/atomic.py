"""Files that appear only when they are complete: written beside, then renamed into place."""

from __future__ import annotations

import os
from pathlib import Path

from mien.errors import UserError


def part_of(path: Path) -> Path:
    """Return the name under which a file is written until it is complete.

    It keeps the suffix, by which OpenCV chooses the container.
    """
    return path.with_name(f".{path.stem}.part{path.suffix}")


def put(part: Path, path: Path) -> None:
    """Put a complete file in its place, over what stood there."""
    try:
        part.replace(path)
    except OSError as error:
        raise UserError(f"{path} cannot be written ({error.strerror}); it is {part}.") from error


def check_target(path: Path) -> None:
    """Raise UserError where a file could not be written, before any work is done for it."""
    folder = path.parent
    if path.is_dir():
        raise UserError(f"{path} is a folder; give the name of a file.")
    if path.exists() and not path.is_file():  # a rename would put a file in a device's place
        raise UserError(f"{path} is no ordinary file; only --jsonl writes to pipes and devices.")
    if not folder.is_dir():
        raise UserError(f"{folder} is no folder, so {path.name} cannot be written there; make it.")
    writable = path if path.exists() else folder
    if not os.access(writable, os.W_OK) or not os.access(folder, os.X_OK):
        raise UserError(f"{path} may not be written by this user; name another place.")
