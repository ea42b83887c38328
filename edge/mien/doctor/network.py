"""Check: port of the page, and the broker, if the options use them."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from mien.doctor.check import Check

PATIENCE_S = 4.0
LOOPBACK = "127.0.0.1"
FIRST_FREE = 1024  # ports under it are root's, and the service is not root
# MQTT 3.1.1, 3.1: CONNECT with a clean session, ten seconds of keep-alive and a name.
CLIENT = b"mien-doctor"
CONNECT = b"\x00\x04MQTT\x04\x02\x00\x0a\x00" + bytes([len(CLIENT)]) + CLIENT
REFUSALS = {4: "wants a user name and password", 5: "wants a user name and password"}


def network(options: Mapping[str, Any], service_runs: bool = False) -> Iterator[Check]:
    """Check port and broker of a run's options."""
    if options.get("web"):
        yield page(str(options["web"]), service_runs)
    else:
        yield Check("page", "skip", "not asked for (web)")
    if options.get("mqtt"):
        yield broker(str(options["mqtt"]))
    else:
        yield Check("broker", "skip", "not asked for (mqtt)")


def page(address: str, service_runs: bool = False) -> Check:
    """Check whether the page's port is free; `[HOST:]PORT`."""
    host, _, port = address.rpartition(":")
    host = host.strip("[]") or LOOPBACK
    if not port.isdigit() or not 0 < int(port) < 2**16:
        return Check("page", "fail", f"web = {address!r} names no port", 'write web = "8080"')
    number = int(port)
    if number < FIRST_FREE:
        remedy = "take a port from 1024 on, as 8080: the service is not root"
        return Check("page", "warn", f"port {number} is root's", remedy)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, number))
        except socket.gaierror:
            remedy = "give 127.0.0.1, or 0.0.0.0 for all its networks"
            return Check("page", "fail", f"{host} is not an address of this machine", remedy)
        except OSError as error:
            if service_runs:
                return Check("page", "ok", f"http://{host}:{number}/, by the service")
            found = f"port {number} of {host} cannot be had: {error.strerror or error}"
            return Check("page", "fail", found, f"see who has it: sudo ss -ltnp sport = :{number}")
    return Check("page", "ok", f"port {number} of {host} is free")


def broker(url: str) -> Check:
    """Check whether an MQTT broker answers at mqtt[s]://[user@]host[:port]/topic."""
    parts = urlsplit(url)
    secure = parts.scheme == "mqtts"
    try:
        host, port = parts.hostname, parts.port or (8883 if secure else 1883)
    except ValueError:
        host, port = None, 0
    if not host or parts.scheme not in ("mqtt", "mqtts"):
        remedy = 'write mqtt = "mqtt://user@host/topic"'
        return Check("broker", "fail", "the address names no broker", remedy)
    place = f"{host}:{port}"
    try:
        code = _connack(host, port, secure)
    except ssl.SSLCertVerificationError as error:
        found = f"{place} answers, its certificate is not trusted: {error.verify_message}"
        return Check("broker", "warn", found, "give the authority's certificate to this system")
    except (OSError, ValueError) as error:
        found = f"{place} does not answer as a broker: {error}"
        return Check("broker", "fail", found, "check host, port, firewall, and that it runs")
    wish = f", {REFUSALS[code]}" if code in REFUSALS else ""
    return Check("broker", "ok", f"{place} answers{wish}")


def _connack(host: str, port: int, secure: bool) -> int:
    """Return the code of the broker's answer to a CONNECT; raises OSError, ValueError."""
    with socket.create_connection((host, port), PATIENCE_S) as plain:
        stream = plain
        if secure:
            stream = ssl.create_default_context().wrap_socket(plain, server_hostname=host)
        with stream:
            stream.sendall(bytes([0x10, len(CONNECT)]) + CONNECT)
            said = b""
            while len(said) < 4:
                more = stream.recv(4 - len(said))
                if not more:
                    raise ValueError("it hangs up")
                said += more
            if said[:2] != b"\x20\x02":
                raise ValueError("it speaks something else")
            stream.sendall(b"\xe0\x00")  # DISCONNECT
            return said[3]
