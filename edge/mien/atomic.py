"""Atomic file writes: a file is written under a temporary name and then renamed into place.

A reader, or a power cut, finds the old file or the new one and never a part of it.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

from mien.errors import UserError

TEMP_PREFIX = ".part-"


def temp_path(path: Path) -> Path:
    """Return the temporary name of a file, in the same folder.

    It keeps all suffixes, by which OpenCV and Keras choose the format.
    """
    return path.with_name(f"{TEMP_PREFIX}{path.name}")


def commit(part: Path, path: Path) -> None:
    """Flush a complete temporary file to the disk and rename it over `path`.

    Raises UserError where the rename fails; the temporary file then stays.
    """
    try:
        with part.open("rb") as file:
            os.fsync(file.fileno())
        part.replace(path)
    except OSError as error:
        raise UserError(f"{path} cannot be written ({error.strerror}); it is {part}.") from error


@contextlib.contextmanager
def replacing(path: Path, option: str | None = None) -> Iterator[Path]:
    """Yield the temporary name to write to; rename it into place unless the body raises.

    The folder is made where it is missing. An OSError becomes a UserError, which names `option` as
    the way to choose another place.
    """
    part = temp_path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield part
        with part.open("rb") as file:
            os.fsync(file.fileno())
        part.replace(path)
    except OSError as error:
        raise UserError(
            f"{path} cannot be written ({error.strerror or error}); choose another place"
            f"{f' with {option}' if option else ''}."
        ) from error
    finally:
        with contextlib.suppress(OSError):  # after the rename it is gone
            part.unlink()


def write_file(path: Path, data: bytes, option: str | None = "--out") -> None:
    """Write `data` to `path` atomically; raises UserError as `replacing` does."""
    with replacing(path, option) as part:
        part.write_bytes(data)


def sha256(file: Path) -> str:
    """Return the SHA-256 of a file's bytes, hex."""
    return hashlib.sha256(file.read_bytes()).hexdigest()


def check_target(path: Path) -> None:
    """Raise UserError where a file could not be written, before any work is done for it."""
    folder = path.parent
    try:
        if path.is_dir():
            raise UserError(f"{path} is a folder; give the name of a file.")
        there = path.exists()
        if there and not path.is_file():  # a rename would put a file in a device's place
            raise UserError(
                f"{path} is a pipe or device; only --jsonl writes to these, name a file."
            )
        if not folder.is_dir():
            raise UserError(
                f"Folder {folder} does not exist; create it before writing {path.name}."
            )
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise UserError(f"{path} cannot be written ({why}); name another place.") from error
    if not os.access(path if there else folder, os.W_OK) or not os.access(folder, os.X_OK):
        raise UserError(f"Permission denied: {path}; name another place.")
