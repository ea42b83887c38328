"""Download of one picture over HTTP, as a camera's snapshot address gives it."""

from __future__ import annotations

import ssl
import urllib.error
import urllib.request
from http.client import HTTPException
from urllib.parse import unquote, urlsplit, urlunsplit

from mien.errors import UserError
from mien.image import MAX_FILE_BYTES
from mien.sources.stream import public

TIMEOUT_S = 10.0
CHUNK_BYTES = 1 << 16


def fetch_image(url: str) -> bytes:
    """Return the bytes behind an http:// or https:// address; at most MAX_FILE_BYTES.

    User name and password in the address are used for Basic and Digest authentication.
    Certificates are checked. Raises UserError with the cause.
    """
    name = public(url)
    try:
        with _opener(url).open(_without_password(url), timeout=TIMEOUT_S) as answer:
            kind = answer.headers.get_content_type()
            if not kind.startswith("image/") and kind != "application/octet-stream":
                raise UserError(f"{name} answers with {kind}; give the address of a picture.")
            return _read(answer, name)
    except urllib.error.HTTPError as error:
        if error.code in (401, 403):
            raise UserError(
                f"{name} refuses access ({error.code} {error.reason}); put user name and password "
                "into the address."
            ) from error
        raise UserError(
            f"{name} answers {error.code} {error.reason}; check the address."
        ) from error
    except urllib.error.URLError as error:
        raise UserError(_cause(name, error.reason)) from error
    except (OSError, HTTPException, ValueError) as error:
        raise UserError(_cause(name, error)) from error


def _read(answer: object, name: str) -> bytes:
    data = bytearray()
    while more := answer.read(CHUNK_BYTES):  # type: ignore[attr-defined]
        data += more
        if len(data) > MAX_FILE_BYTES:
            raise UserError(f"{name} sends more than {MAX_FILE_BYTES // 1_000_000} MB.")
    return bytes(data)


def _opener(url: str) -> urllib.request.OpenerDirector:
    passwords = urllib.request.HTTPPasswordMgrWithDefaultRealm()
    parts = urlsplit(url)
    if parts.username is not None:
        user, password = unquote(parts.username), unquote(parts.password or "")
        passwords.add_password(None, _without_password(url), user, password)
    return urllib.request.build_opener(
        urllib.request.HTTPBasicAuthHandler(passwords),
        urllib.request.HTTPDigestAuthHandler(passwords),
    )


def _without_password(url: str) -> str:
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def _cause(name: str, reason: object) -> str:
    if isinstance(reason, ssl.SSLCertVerificationError):
        return f"{name} has a certificate that is not trusted ({reason.verify_message})."
    if isinstance(reason, TimeoutError):
        return f"{name} does not answer within {TIMEOUT_S:g} s; check the address."
    return f"{name} cannot be reached ({reason}); check the address and the network."
