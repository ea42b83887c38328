"""Network addresses of sources: what is connected to, and what may be shown of it.

Passwords in addresses hold any character, also those that end a host for `urlsplit` ("#", "/",
"?", "["). So an address is taken apart here, and whatever may be a secret is never shown.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import quote, unquote

from mien.console import printable
from mien.errors import UserError

SCHEMES = ("http", "https", "rtsp", "rtsps")
HIDDEN = "..."
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):(/*)")
_HOST = r"(?:\[[0-9A-Fa-f:.%]+\]|[A-Za-z0-9._~-]+)(?::[0-9]{1,5})?"
_PLAIN = re.compile(rf"({_HOST})(/[^?#]*)?([?#].*)?", re.DOTALL)


@dataclass(frozen=True)
class Address:
    """A network address in its parts."""

    scheme: str  # in lower case: FFmpeg knows no other
    user: str | None
    password: str | None
    rest: str  # host, port, path and query
    name: str  # without secrets, for messages

    @property
    def url(self) -> str:
        """The address without user name and password."""
        return f"{self.scheme}://{self.rest}"

    @property
    def full(self) -> str:
        """The address with user name and password, their special characters escaped."""
        if self.user is None:
            return self.url
        secret = "" if self.password is None else f":{quote(self.password, safe='')}"
        return f"{self.scheme}://{quote(self.user, safe='')}{secret}@{self.rest}"

    @property
    def host(self) -> str:
        """The host's name or number, without brackets."""
        host = re.split(r"[/?#]", self.rest, maxsplit=1)[0]
        return re.sub(r":[0-9]{1,5}$", "", host).strip("[]")

    @property
    def port(self) -> int:
        """The port, that of the scheme where none is given."""
        match = re.search(r":([0-9]{1,5})$", re.split(r"[/?#]", self.rest, maxsplit=1)[0])
        return (
            int(match[1])
            if match
            else {"http": 80, "https": 443, "rtsps": 322}.get(self.scheme, 554)
        )


def is_address(text: str) -> bool:
    """Return whether a source is meant as a network address, mistyped ones included."""
    match = _SCHEME.match(text)
    return match is not None and (len(match[2]) >= 2 or match[1].lower() in SCHEMES)


def parse_address(text: str) -> Address:
    """Return the parts of an address; raises UserError for one that cannot be used."""
    match = _SCHEME.match(text)
    name = public(text)
    scheme = match[1].lower() if match else ""
    if match is None or scheme not in SCHEMES:
        raise UserError(f"{name}: {scheme} is not read; use {', '.join(SCHEMES)} or a path.")
    if match[2] != "//":
        raise UserError(f"{name}: write {scheme}:// with two slashes before the host.")
    user, rest = _split_user(scheme, text[match.end() :])
    if _PLAIN.fullmatch(rest) is None or any(c.isspace() for c in rest):
        raise UserError(f"{name} is not a valid address; write {scheme}://HOST[:PORT]/PATH.")
    if user is None:
        return Address(scheme, None, None, rest, name)
    login, colon, password = user.partition(":")
    return Address(scheme, unquote(login), unquote(password) if colon else None, rest, name)


def public(text: str) -> str:
    """Return an address without user name, password and query, for messages and logs.

    Where it cannot be told what is a secret, nothing but the scheme is shown. A text that is not
    an address is shown as it is, up to what stands before an "@".
    """
    match = _SCHEME.match(text) if is_address(text) else None
    scheme, rest = (f"{match[1].lower()}://", text[match.end() :]) if match else ("", text)
    before, at, shown = rest.rpartition("@")
    plain = _PLAIN.fullmatch(shown)
    if not match:
        return printable(shown if at else text)
    if plain is None or "=" in before or "&" in before:
        return f"{scheme}{HIDDEN}"
    query = f"?{HIDDEN}" if plain[3] and plain[3].startswith("?") else ""
    path = plain[2] or ""
    if re.search("[=&;]", path):  # a query whose "?" is missing
        path = f"{re.split('[=&;]', path, maxsplit=1)[0].rpartition('/')[0]}/{HIDDEN}"
    return printable(f"{scheme}{plain[1]}{path}{query}")


def _split_user(scheme: str, rest: str) -> tuple[str | None, str]:
    """Return user name and password as they stand, and what follows the "@" behind them."""
    first = re.split(r"[/?#]", rest, maxsplit=1)[0]
    if "@" in first and "@" not in rest[len(first) :]:
        user, _, host = first.rpartition("@")
        return user, host + rest[len(first) :]
    # An "@" behind the first part: of a path or query, or the first part is not the host at all.
    plain = re.fullmatch(_HOST, first) is not None
    if "@" not in rest or (plain and scheme in ("http", "https")):
        return None, rest
    user, _, host = rest.rpartition("@")
    return user, host
