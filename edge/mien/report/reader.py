"""Reads a session's JSON lines one after the other; docs/output.md is their contract."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mien.errors import UserError

BLOCK = 1 << 20  # bytes read at once
LONGEST = 1 << 20  # bytes of a line; one with a hundred faces has 40,000
Watch = Callable[[Iterable[bytes], int], Iterable[bytes]]  # shows how far it is: blocks, how many


@dataclass
class Broken:
    """Lines that could not be read: what a power cut or a full disk left."""

    count: int = 0


def read_lines(
    path: Path, broken: Broken, watch: Watch = lambda blocks, total: blocks
) -> Iterator[dict[str, Any]]:
    """Yield the objects of a session, frames and events; counts what is broken.

    `watch` may wrap the blocks of 1 MB to show progress. Raises UserError where there is no such
    file or it is no session.
    """
    try:
        size = path.stat().st_size
    except (OSError, ValueError):
        raise UserError(f"There is no {path}; name what `mien run --jsonl` wrote.") from None
    if path.is_dir():
        raise UserError(f"{path} is a folder; name a file that `mien run --jsonl` wrote.")
    good = 0
    for line in _split(watch(_blocks(path), max(1, math.ceil(size / BLOCK)))):
        if not line.strip():
            continue
        record = _parse(line)
        if record is None:
            broken.count += 1
            if not good and broken.count >= 3:
                raise UserError(_no_session(path))
            continue
        good += 1
        yield record
    if not good:
        raise UserError(_no_session(path))


def _parse(line: bytes) -> dict[str, Any] | None:
    """Return a line's object, None where it is none of a session."""
    try:
        record = json.loads(line)
    except ValueError:  # also where it is no UTF-8
        return None
    if not isinstance(record, dict) or not _number(record.get("time")):
        return None
    if "event" in record:
        return record if isinstance(record["event"], str) else None
    faces = record.get("faces")
    if not isinstance(faces, list) or not all(_is_face(face) for face in faces):
        return None
    return record


def _is_face(face: Any) -> bool:
    return (
        isinstance(face, dict)
        and isinstance(face.get("emotion"), str)
        and isinstance(face.get("probabilities"), dict)
        and all(_number(p) for p in face["probabilities"].values())
    )


def _number(value: Any) -> bool:
    return isinstance(value, (int, float)) and math.isfinite(value)


def _blocks(path: Path) -> Iterator[bytes]:
    try:
        with path.open("rb") as file:
            while block := file.read(BLOCK):
                yield block
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}.") from error


def _split(blocks: Iterable[bytes]) -> Iterator[bytes]:
    rest = b""
    for block in blocks:
        *whole, rest = (rest + block).split(b"\n")
        yield from whole
        if len(rest) > LONGEST:  # no session: do not gather it all in memory
            yield rest
            rest = b""
    if rest:
        yield rest


def _no_session(path: Path) -> str:
    return f"{path} is no session; name what `mien run --jsonl` wrote."
