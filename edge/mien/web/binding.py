"""Address of the page: parsing, listening socket and the Host names that it answers to."""

from __future__ import annotations

import ipaddress
import os
import re
import socket
from collections.abc import Sequence
from dataclasses import dataclass, field

from mien.errors import UserError


@dataclass(frozen=True)
class BindAddress:
    """Host and port of `--web [HOST:]PORT`."""

    host: str  # name or IP address; without brackets
    port: int  # 0 lets the system choose

    @property
    def loopback(self) -> bool:
        """Whether it is reachable from this machine only."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False


@dataclass(frozen=True)
class PageOptions:
    """Where the page is served and who may see it."""

    address: BindAddress
    token: str | None = field(default=None, repr=False)  # None: generated where one is needed
    root: str = ""  # path of the page behind a reverse proxy, as "/mien"; "" is the host's own
    hosts: tuple[str, ...] = ()  # names of a reverse proxy, besides this machine's own
    blur: bool = False  # hide the faces in the picture
    proxy: str | None = None  # IP address of the only peer, which checks its visitors itself
    recording: str | None = None  # JSONL file of the run, as in --jsonl, that may be downloaded


def parse_root(text: str) -> str:
    """Return the path of --web-root without a slash at its end; raises UserError."""
    root = "/" + text.strip("/") if text.strip("/") else ""
    if not re.fullmatch(r"(/[A-Za-z0-9._~-]+)*", root) or ".." in root:
        raise UserError(
            f"Invalid --web-root '{text[:100]}': give the path at which a reverse proxy serves the "
            "page, as /mien (letters, digits and . _ ~ - between slashes)."
        )
    return root


def parse_host(text: str) -> str:
    """Return a host name of --allow-host in lower case; raises UserError."""
    host = text.strip().lower().rstrip(".")
    if not re.fullmatch(r"[a-z0-9_]([a-z0-9_.-]*[a-z0-9_])?", host):
        raise UserError(
            f"Invalid --allow-host '{text[:100]}': give a host name without scheme and port, as "
            "mien.example.org."
        )
    return host


def parse_proxy(text: str) -> str:
    """Return the IP address of --trusted-proxy; raises UserError."""
    try:
        return str(ipaddress.ip_address(text.strip()))
    except ValueError:
        raise UserError(
            f"Invalid --trusted-proxy '{text[:100]}': give the IP address from which the proxy "
            "connects, as 172.30.32.2."
        ) from None


def parse_bind_address(text: str) -> BindAddress:
    """Return the address in "8080", "0.0.0.0:8080", ":8080" or "[::1]:8080"; raises UserError.

    Without a host it is this machine alone; an empty one (":8080") is every network.
    """
    match = re.fullmatch(r"(?:(\[[0-9A-Fa-f:.%]+\]|[^\s\[\]:/@]*):)?([0-9]{1,5})", text.strip())
    if match is None or int(match[2]) > 65535:
        raise UserError(
            f"Invalid --web '{text[:100]}': give a port, as 8080, or host and port, as "
            "0.0.0.0:8080 or [::1]:8080."
        )
    host = "127.0.0.1" if match[1] is None else match[1].strip("[]") or "0.0.0.0"
    return BindAddress(host, int(match[2]))


def allowed_hosts(address: BindAddress, more: Sequence[str] = ()) -> frozenset[str]:
    """Return the names, in lower case, by which a browser may call this machine.

    A page from elsewhere whose name was pointed at this machine (DNS rebinding) has another.
    Numbers always are welcome: nobody can point a number elsewhere. `more` are names of a reverse
    proxy.
    """
    names = {"localhost", address.host.lower(), *more}
    if not address.loopback:
        host = socket.gethostname().lower()
        names |= {host, socket.getfqdn().lower()}
        short = host.split(".")[0]
        # What home routers and mDNS make of a host's name.
        names |= {short, *(f"{short}.{zone}" for zone in ("local", "lan", "home", "home.arpa"))}
    return frozenset(name for name in names if name)


def is_host_allowed(header: str, names: frozenset[str]) -> bool:
    """Whether a Host header, as "pi.local:8080" or "[::1]:8080", names this machine."""
    match = re.fullmatch(r"(\[[0-9A-Fa-f:.]+\]|[^\s\[\]:]+)(?::[0-9]{1,5})?", header)
    if match is None:
        return False
    host = match[1].strip("[]").lower().rstrip(".")
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return host in names
    return True


def listen_on(address: BindAddress) -> socket.socket:
    """Return a listening socket; raises UserError where the address is taken or not ours."""
    try:
        found = socket.getaddrinfo(
            address.host, address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
    except socket.gaierror:
        raise UserError(
            f"--web {address.host} is not an address of this machine; give 127.0.0.1, or 0.0.0.0 "
            "for all its networks."
        ) from None
    family, _, _, _, place = found[0]
    try:
        return socket.create_server(place[:2], family=family, backlog=64)
    except OSError as error:
        remedy = "give another port" if address.port else "give another address"
        raise UserError(
            f"The page cannot be served at {host_and_port(address.host, address.port)} "
            f"({os.strerror(error.errno or 0)}); {remedy}."
        ) from None


def host_and_port(host: str, port: int) -> str:
    """Return host and port as a browser's address has them."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
