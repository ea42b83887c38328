"""The page's token where nobody chose one: told on a terminal, kept in a file elsewhere.

A log is read by more people than may look into the room, and kept for longer.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import stat
from collections.abc import Mapping
from pathlib import Path

from mien.errors import UserError

FILE = "page-token"


def kept_token(environment: Mapping[str, str] | None = None) -> tuple[str, Path]:
    """Return the token of this user's file and the file; both are made where they are not there.

    The file is in the service's StateDirectory, else in XDG_STATE_HOME/mien, for its owner alone.
    Raises UserError where it cannot be written.
    """
    file = _folder(os.environ if environment is None else environment) / FILE
    token = _read(file)
    if token is None:
        token = secrets.token_urlsafe(18)
        try:
            _write(file, token)
        except OSError as error:
            raise UserError(
                f"The page needs a token, and a made-up one finds no place in {file.parent} "
                f"({os.strerror(error.errno or 0)}); give one by MIEN_TOKEN."
            ) from None
    return token, file


def _folder(environment: Mapping[str, str]) -> Path:
    given = environment.get("STATE_DIRECTORY", "").split(":")[0]  # systemd.exec(5)
    if given:
        return Path(given)
    home = environment.get("XDG_STATE_HOME") or Path(environment.get("HOME", "/")) / ".local/state"
    return Path(home) / "mien"


def _read(file: Path) -> str | None:
    """Return a token that nobody else can have read or chosen."""
    with contextlib.suppress(OSError, UnicodeDecodeError):
        found = file.lstat()
        private = found.st_uid == os.geteuid() and not found.st_mode & 0o077
        if stat.S_ISREG(found.st_mode) and private:
            token = file.read_text(encoding="ascii").strip()
            if re.fullmatch(r"[A-Za-z0-9_-]{20,}", token):
                return token
    return None


def _write(file: Path, token: str) -> None:
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    part = file.with_name(f".{file.name}-{os.getpid()}")
    with contextlib.suppress(FileNotFoundError):
        part.unlink()
    try:
        part.touch(0o600, exist_ok=False)  # before anything is in it
        part.write_text(f"{token}\n", encoding="ascii")
        part.replace(file)
    except OSError:
        part.unlink(missing_ok=True)
        raise
