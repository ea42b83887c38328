"""Random changes of bytes and texts."""

from __future__ import annotations

import random
import re
from collections.abc import Callable

MAX_BYTES = 4_000_000  # of a mutant: repeated repetitions would fill the memory themselves
NUMBERS = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
TOKENS = (
    *("1e999", "NaN", "-Infinity", "-1", "0.0", "1" * 400, "1e12", "99999999999999999999", "null"),
    *("[" * 3000, "{", "}", '"', "'", "\\ud800", "\x00", "\x1b[31m", "\u2028", "%s", "é", "\udcff"),
    *("", ",", ";", ":", "=", "#", "/", "?", "@", "//", "..", " ", "\n", "true", "[]", "{}", "\\"),
)
WORD = re.compile(rb"[\w.+-]+|[^\w\s]")


def mutate(data: bytes, other: bytes, rng: random.Random) -> bytes:
    """Return data with one to six random changes; `other` is a sample to splice with."""
    text = _is_text(data)
    for _ in range(rng.choice((1, 1, 1, 2, 3, 6))):
        change = rng.choice(TEXT_CHANGES if text and rng.random() < 0.7 else BYTE_CHANGES)
        data = change(bytearray(data), other, rng)[:MAX_BYTES]
    return data


def _is_text(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def _range(data: bytearray, rng: random.Random) -> slice:
    start = rng.randrange(len(data) + 1)
    return slice(start, start + int(rng.expovariate(1 / 30)) + 1)


def _flip(data: bytearray, other: bytes, rng: random.Random) -> bytes:
    if data:
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    return bytes(data)


def _number(data: bytearray, other: bytes, rng: random.Random) -> bytes:
    width = rng.choice((1, 2, 4, 8))
    value = rng.choice(NUMBERS) & (256**width - 1)
    start = rng.randrange(len(data) + 1)
    data[start : start + width] = value.to_bytes(width, rng.choice(("little", "big")))
    return bytes(data)


def _delete(data: bytearray, other: bytes, rng: random.Random) -> bytes:
    del data[_range(data, rng)]
    return bytes(data)


def _repeat(data: bytearray, other: bytes, rng: random.Random) -> bytes:
    part = _range(data, rng)
    data[part.start : part.start] = data[part] * rng.choice((1, 2, 50))
    return bytes(data)


def _truncate(data: bytearray, other: bytes, rng: random.Random) -> bytes:
    return bytes(data[: rng.randrange(len(data) + 1)])


def _noise(data: bytearray, other: bytes, rng: random.Random) -> bytes:
    data[_range(data, rng)] = rng.randbytes(rng.randrange(1, 40))
    return bytes(data)


def _splice(data: bytearray, other: bytes, rng: random.Random) -> bytes:
    part = _range(bytearray(other), rng)
    data[_range(data, rng)] = other[part]
    return bytes(data)


def _token(data: bytearray, other: bytes, rng: random.Random) -> bytes:
    """Replace a word, a number or a mark by a token that parsers trip over."""
    token = rng.choice(TOKENS).encode("utf-8", "surrogateescape")
    position = rng.randrange(len(data) + 1)
    if rng.random() < 0.5:  # where a line begins, long as it may be
        position = data.rfind(b"\n", 0, position) + 1
    word = WORD.search(data, position)
    data[slice(*word.span()) if word else slice(position, None)] = token
    return bytes(data)


def _lines(data: bytearray, other: bytes, rng: random.Random) -> bytes:
    """Move, drop or repeat a line."""
    lines = bytes(data).splitlines(keepends=True) or [b""]
    line = lines.pop(rng.randrange(len(lines)))
    for _ in range(rng.choice((0, 1, 2, 200))):
        lines.insert(rng.randrange(len(lines) + 1), line)
    return b"".join(lines)


Change = Callable[[bytearray, bytes, random.Random], bytes]
BYTE_CHANGES: tuple[Change, ...] = (_flip, _number, _delete, _repeat, _truncate, _noise, _splice)
TEXT_CHANGES: tuple[Change, ...] = (_token, _token, _token, _lines)
