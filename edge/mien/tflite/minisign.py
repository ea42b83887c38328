"""Ed25519 signatures of model files in the format of minisign, verified with `cryptography`.

    minisign -G                        # makes a key pair; minisign.pub has the public key
    minisign -Sm mine.tflite           # writes mine.tflite.minisig

https://jedisct1.github.io/minisign/ documents the format. A signature file has four lines: a
comment; base64 of algorithm (2 bytes), key id (8) and signature (64); a trusted comment; base64 of
the signature (64) of that signature and the trusted comment.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from dataclasses import dataclass
from pathlib import Path

from mien.errors import UserError

SUFFIX = ".minisig"
MAX_SIGNATURE_BYTES = 4096
ALGORITHM, PREHASHED = b"Ed", b"ED"  # of the file itself, and of its BLAKE2b-512
TRUSTED_COMMENT = "trusted comment: "


@dataclass(frozen=True)
class PublicKey:
    """A public key of minisign."""

    id: bytes  # 8 bytes
    key: bytes  # 32 bytes, Ed25519

    @classmethod
    def from_text(cls, text: str) -> PublicKey:
        """Read the base64 line of a minisign.pub; raises UserError."""
        raw = _decoded(text)
        if len(raw) != 42 or raw[:2] != ALGORITHM:
            raise UserError(
                "The model key is not a public key of minisign; give the line of minisign.pub that "
                "begins with RW as model-key or MIEN_MODEL_KEY."
            )
        return cls(raw[2:10], raw[10:])


def signature_path(path: Path) -> Path:
    """Return the file in which the signature of a file stands."""
    return path.with_name(path.name + SUFFIX)


def verify(data: bytes, path: Path, key: PublicKey) -> None:
    """Raise UserError unless the signature beside `path` signs its bytes, `data`, by `key`."""
    try:
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    except ImportError:
        raise UserError(
            "Checking a signature needs the package cryptography; run "
            "`pip install 'mien[signed]'` (in the environment of mien)."
        ) from None
    algorithm, key_id, signature, comment, comment_signature = _read(path)
    if key_id != key.id:
        raise UserError(
            f"{path} is signed by another key ({key_id[::-1].hex().upper()}, where model-key is "
            f"{key.id[::-1].hex().upper()}); get it from whom you trust."
        )
    signed = hashlib.blake2b(data).digest() if algorithm == PREHASHED else data
    public = Ed25519PublicKey.from_public_bytes(key.key)
    try:
        public.verify(signature, signed)
        public.verify(comment_signature, signature + comment)
    except InvalidSignature:
        raise UserError(
            f"{path} is not what was signed: its signature does not verify; get both files again."
        ) from None


def _read(path: Path) -> tuple[bytes, bytes, bytes, bytes, bytes]:
    """Return algorithm, key id, signature, trusted comment and its signature."""
    file = signature_path(path)
    try:
        with file.open("rb") as opened:
            text = opened.read(MAX_SIGNATURE_BYTES).decode("utf-8", "replace")
    except FileNotFoundError:
        raise UserError(
            f"{path} is not signed and a model key is configured; put {file.name} beside it "
            f"(minisign -Sm {path.name})."
        ) from None
    except OSError as error:
        raise UserError(
            f"{file} cannot be read ({error.strerror}); check its permissions."
        ) from error
    lines = [*text.splitlines(), "", "", "", ""]
    first, last = _decoded(lines[1]), _decoded(lines[3])
    if (
        len(first) != 74
        or len(last) != 64
        or first[:2] not in (ALGORITHM, PREHASHED)
        or not lines[2].startswith(TRUSTED_COMMENT)
    ):
        raise UserError(f"{file} is not a signature of minisign; sign the model again.")
    return first[:2], first[2:10], first[10:], lines[2][len(TRUSTED_COMMENT) :].encode(), last


def _decoded(text: str) -> bytes:
    """Return the bytes of a base64 text; none where it is not base64."""
    try:
        return base64.b64decode(text.strip().encode("ascii"), validate=True)
    except (binascii.Error, UnicodeEncodeError):
        return b""
