"""Download of one picture over HTTP, as a camera's snapshot address gives it."""

from __future__ import annotations

from http.client import HTTPException

from mien.errors import UserError
from mien.image import MAX_FILE_BYTES
from mien.sources.address import Address
from mien.sources.http import open_http, unreachable

CHUNK_BYTES = 1 << 16


def fetch_image(address: Address, insecure: bool = False) -> bytes:
    """Return the bytes of the picture at an http:// or https:// address; at most MAX_FILE_BYTES.

    Raises UserError with the cause.
    """
    if address.scheme not in ("http", "https"):
        raise UserError(f"{address.name} is a stream; read it with `mien run`.")
    data = bytearray()
    try:
        with open_http(address, insecure) as answer:
            kind = answer.headers.get_content_type()
            if not kind.startswith("image/") and kind != "application/octet-stream":
                raise UserError(f"{address.name} answers with {kind}; give a picture's address.")
            while more := answer.read(CHUNK_BYTES):
                data += more
                if len(data) > MAX_FILE_BYTES:
                    limit = MAX_FILE_BYTES // 1_000_000
                    raise UserError(f"{address.name} sends more than {limit} MB.")
    except (OSError, HTTPException) as error:
        raise UserError(unreachable(address, error)) from error
    return bytes(data)
