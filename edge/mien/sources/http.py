"""HTTP requests of sources: answered, or refused in a sentence that has one cause."""

from __future__ import annotations

import http.client
import socket
import ssl
import urllib.error
import urllib.request
from typing import Any

from mien.errors import UserError
from mien.sources.address import Address

OPEN_S = 10.0  # s, how long a server may take to answer


def tls_context(insecure: bool) -> ssl.SSLContext:
    """Return what checks a server's certificate; `insecure` takes any."""
    context = ssl.create_default_context()
    if insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def open_http(address: Address, insecure: bool = False) -> Any:
    """Return the answer to a GET request, an open http.client.HTTPResponse.

    User name and password serve Basic and Digest authentication. Raises UserError with the cause:
    401, 404, no such host, refused, untrusted certificate, no answer.
    """
    name = address.name
    passwords = urllib.request.HTTPPasswordMgrWithDefaultRealm()
    if address.user is not None:
        passwords.add_password(None, address.url, address.user, address.password or "")
    opener = urllib.request.build_opener(
        urllib.request.HTTPSHandler(context=tls_context(insecure)),
        urllib.request.HTTPBasicAuthHandler(passwords),
        urllib.request.HTTPDigestAuthHandler(passwords),
    )
    try:
        return opener.open(address.url, timeout=OPEN_S)
    except urllib.error.HTTPError as error:
        raise UserError(refusal(name, error.code, error.reason, address.user)) from error
    except urllib.error.URLError as error:
        raise UserError(unreachable(address, error.reason)) from error
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise UserError(unreachable(address, error)) from error


def refusal(name: str, code: int, reason: str, user: str | None) -> str:
    """Return the sentence for an error code of HTTP or RTSP."""
    if code in (401, 403):
        remedy = "check user name and password" if user else "write USER:PASSWORD@ before the host"
        return f"{name} refuses access ({code} {reason}); {remedy}."
    if code == 404:
        return f"{name} does not exist on this server (404 {reason}); check the path."
    return f"{name} answers {code} {reason}; check the address and the server."


def unreachable(address: Address, reason: object) -> str:
    """Return the sentence for a connection that failed."""
    name = address.name
    if isinstance(reason, ssl.SSLCertVerificationError):
        return (
            f"{name} has a certificate that is not trusted ({reason.verify_message}); add its "
            "authority to this system, or pass --insecure to accept any."
        )
    if isinstance(reason, ssl.SSLError):
        return f"{name} does not speak TLS ({reason.reason}); check scheme and port."
    if isinstance(reason, socket.gaierror):
        return f"There is no host named {address.host}; check its spelling and the network."
    if isinstance(reason, ConnectionRefusedError):
        return f"{name} refuses the connection; check the port and that the server runs."
    if isinstance(reason, TimeoutError):
        return f"{name} does not answer within {OPEN_S:g} s; check the address and the network."
    return f"{name} cannot be reached ({reason}); check the address and the network."
