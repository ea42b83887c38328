"""Files of a folder or zip, listed and read within bounds; a zip is never unpacked."""

from __future__ import annotations

import io
import lzma
import os
import re
import struct
import zipfile
import zlib
from pathlib import Path
from typing import IO, Any, cast

from mien.errors import UserError

MAX_MEMBER_BYTES = 64 * 2**20  # of one picture; more is not a face
MAX_DEPTH = 8  # folders inside one another that are looked through
# What zipfile raises for damaged archives. RuntimeError: encrypted; NotImplementedError is one.
ZIP_ERRORS = (
    *(OSError, RuntimeError, EOFError, ValueError, IndexError, OverflowError),
    *(zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error, MemoryError),
)


class FileArchive:
    """A folder or zip whose files are read one by one, by their names with "/" between folders.

    Raises UserError where the path is missing or is neither, and for a zip with a name that points
    outside of it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._zip: zipfile.ZipFile | None = None
        self._members: dict[str, zipfile.ZipInfo] = {}
        try:
            if path.is_dir():
                self.names = _names_in_folder(path)
                return
            if not path.is_file():
                raise UserError(f"There is no file or folder {path}; check the path.")
            self._zip = zipfile.ZipFile(path)
            for info in self._zip.infolist():
                if info.filename and not info.filename.endswith(("/", "\\")):
                    self._members.setdefault(_safe_name(path, info.filename), info)
        except PermissionError as error:
            raise UserError(f"Permission denied: {path}; read it as its owner.") from error
        except ZIP_ERRORS as error:
            self.close()
            raise UserError(
                f"{path} is neither a folder nor a complete zip ({_reason(error)}); copy or "
                "download it again."
            ) from error
        self.names = list(self._members)

    def read(self, name: str) -> bytes:
        """Return a file's bytes; raises UserError, whose sentence begins with the name."""
        try:
            if self._zip is None:
                file = self.path / name
                _check_size(name, file.stat().st_size)
                return file.read_bytes()
            info = self._members[name]
            _check_size(name, info.file_size)
            with self._open(name) as opened:
                return opened.read()
        except ZIP_ERRORS as error:
            raise UserError(f"{name} cannot be read ({_reason(error)}).") from error

    def stream(self, name: str) -> IO[bytes]:
        """Open a file for reading bit by bit; raises UserError."""
        try:
            if self._zip is None:
                return (self.path / name).open("rb")
            # A zip's own readline may give less than a line.
            return io.BufferedReader(cast(Any, self._open(name)), 1 << 16)
        except ZIP_ERRORS as error:
            raise UserError(f"{name} cannot be read ({_reason(error)}).") from error

    def size(self, name: str) -> int:
        """Return the bytes that a member of a zip states; 0 in a folder."""
        return self._members[name].file_size if name in self._members else 0

    def __enter__(self) -> FileArchive:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the zip."""
        if self._zip is not None:
            self._zip.close()

    def _open(self, name: str) -> IO[bytes]:
        assert self._zip is not None
        return self._zip.open(self._members[name])


def _check_size(name: str, size: int) -> None:
    if size > MAX_MEMBER_BYTES:
        raise UserError(f"{name} is too large for a face; leave it out.")


def _safe_name(path: Path, member: str) -> str:
    """Return a member's name with "/" alone; Windows' tools write backslashes."""
    name = member.replace("\\", "/")
    if ".." in name.split("/") or name.startswith("/") or re.match(r"[A-Za-z]:", name):
        raise UserError(
            f"{path} has the unsafe file name {member!r} in it, which points outside of the "
            "archive; do not trust it, and download or pack it anew."
        )
    return name


def _names_in_folder(path: Path) -> list[str]:
    found = []
    for folder, inside, files in os.walk(path, followlinks=True):
        relative = Path(folder).relative_to(path)
        if len(relative.parts) >= MAX_DEPTH:
            inside.clear()
        found += [(relative / file).as_posix() for file in files]
    return found


def _reason(error: Exception) -> str:
    return str(getattr(error, "strerror", None) or error or type(error).__name__)
