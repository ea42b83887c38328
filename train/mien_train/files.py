"""Writes a file beside its place and renames it, so that none is ever half there; hashes one."""

from __future__ import annotations

import hashlib
from pathlib import Path

from mien_train.errors import UserError


def write(path: Path, data: bytes, option: str = "--out") -> None:
    """Write `data` to `path`, with the folders it needs; `option` is how a person names another.

    Raises:
        UserError: the place cannot be written.
    """
    beside = path.with_name(f".{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        beside.write_bytes(data)
        beside.replace(path)
    except OSError as error:
        raise UserError(
            f"cannot write {path}: {error.strerror}; choose another place with {option}."
        ) from error


def sha256(file: Path) -> str:
    """The SHA-256 of a file's bytes, hex."""
    return hashlib.sha256(file.read_bytes()).hexdigest()
