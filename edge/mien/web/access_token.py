"""Access token of the page: chosen or generated, kept in a file, compared in constant time.

A token that nobody chose is generated: printed on a terminal, kept in a file elsewhere. A log is
read by more people than may look into the room, and kept for longer.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import os
import re
import secrets
import stat
from collections.abc import Mapping
from pathlib import Path

from mien.errors import UserError
from mien.web.binding import BindAddress

MIN_TOKEN_LENGTH = 8  # characters of a token that a person chooses
TOKEN_FILE = "page-token"


def choose_token(address: BindAddress, token: str | None) -> tuple[str | None, bool]:
    """Return the token that visitors need, None for nobody's, and whether it was just made up.

    Raises UserError for a token that is easily guessed or does not fit into a header.
    """
    if token is None:
        return (None, False) if address.loopback else (secrets.token_urlsafe(18), True)
    if len(token) < MIN_TOKEN_LENGTH:
        raise UserError(
            f"--token is shorter than {MIN_TOKEN_LENGTH} characters; take a longer one."
        )
    if not re.fullmatch(r"[A-Za-z0-9._~+/=-]+", token):
        raise UserError("--token may hold letters, digits and . _ ~ + / = - only.")
    return token, False


def session_cookie(token: str) -> str:
    """Return what a browser keeps as a cookie: it proves the token and does not hold it."""
    return hmac.new(token.encode(), b"mien's page", hashlib.sha256).hexdigest()


def equal_secrets(given: str, wanted: str) -> bool:
    """Compare two secrets in a time that tells nothing of where they differ."""
    return hmac.compare_digest(given.encode(), wanted.encode())


def stored_token(environment: Mapping[str, str] | None = None) -> tuple[str, Path]:
    """Return the token of this user's file and the file; both are made where they are not there.

    The file is in the service's StateDirectory, else in XDG_STATE_HOME/mien, for its owner alone.
    Raises UserError where it cannot be written.
    """
    file = _state_folder(os.environ if environment is None else environment) / TOKEN_FILE
    token = _read_token(file)
    if token is None:
        token = secrets.token_urlsafe(18)
        try:
            _write_token(file, token)
        except OSError as error:
            raise UserError(
                f"The page needs a token, and a made-up one finds no place in {file.parent} "
                f"({os.strerror(error.errno or 0)}); give one by MIEN_TOKEN."
            ) from None
    return token, file


def _state_folder(environment: Mapping[str, str]) -> Path:
    given = environment.get("STATE_DIRECTORY", "").split(":")[0]  # systemd.exec(5)
    if given:
        return Path(given)
    home = environment.get("XDG_STATE_HOME") or Path(environment.get("HOME", "/")) / ".local/state"
    return Path(home) / "mien"


def _read_token(file: Path) -> str | None:
    """Return a token that nobody else can have read or chosen."""
    with contextlib.suppress(OSError, UnicodeDecodeError):
        found = file.lstat()
        private = found.st_uid == os.geteuid() and not found.st_mode & 0o077
        if stat.S_ISREG(found.st_mode) and private:
            token = file.read_text(encoding="ascii").strip()
            if re.fullmatch(r"[A-Za-z0-9_-]{20,}", token):
                return token
    return None


def _write_token(file: Path, token: str) -> None:
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
