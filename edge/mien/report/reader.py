"""Reader of a session's JSON lines, checked one by one; docs/output.md is their contract."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from mien.console import printable
from mien.errors import UserError

BLOCK = 1 << 20  # bytes read at once
MAX_LINE_BYTES = 1 << 20  # one with a hundred faces has 40,000
MAX_TIME_S = 1e9  # s of a session's time, thirty years
MAX_MS = 1e9  # ms of work or latency
MAX_LABELS = 64  # of all lines together
MAX_LABEL, MAX_WHY = 40, 300  # characters
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
    except (OSError, ValueError) as error:
        if isinstance(error, PermissionError):
            raise UserError(f"Permission denied: {path}; read it as its owner.") from None
        raise UserError(f"There is no {path}; name what `mien run --jsonl` wrote.") from None
    if path.is_dir():
        raise UserError(f"{path} is a folder; name a file that `mien run --jsonl` wrote.")
    good = 0
    labels: set[str] = set()
    for line in _split(watch(_blocks(path), max(1, math.ceil(size / BLOCK)))):
        if not line.strip():
            continue
        record = _parse(line, labels)
        if record is None:
            broken.count += 1
            if not good and broken.count >= 3:
                raise UserError(_no_session(path))
            continue
        good += 1
        yield record
    if not good:
        raise UserError(_no_session(path))


def _parse(line: bytes, labels: set[str]) -> dict[str, Any] | None:
    """Return a line's object, None where it is not one of a session.

    `labels` are those of the lines before; a line with more than `MAX_LABELS` is left out.
    """
    if len(line) > MAX_LINE_BYTES:
        return None
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):  # also where it is not UTF-8
        return None
    if not isinstance(record, dict) or not _is_number(record.get("time"), 0.0, MAX_TIME_S):
        return None
    if "event" in record:
        return record if _is_label(record["event"]) else None
    faces = record.get("faces")
    if not isinstance(faces, list) or not all(_is_face(face) for face in faces):
        return None
    new = {word for face in faces for word in (face["emotion"], *face["probabilities"])}
    if len(labels | new) > MAX_LABELS:
        return None
    labels |= new
    return record


def _is_face(face: Any) -> bool:
    return (
        isinstance(face, dict)
        and _is_label(face.get("emotion"))
        and isinstance(face.get("probabilities"), dict)
        and len(face["probabilities"]) <= MAX_LABELS
        and all(_is_label(label) for label in face["probabilities"])
        and all(_is_number(p, 0.0, 1.0) for p in face["probabilities"].values())
        and (face.get("id") is None or _is_number(face["id"], 0, 1 << 53))
    )


def _is_number(value: Any, low: float, high: float) -> bool:
    """Return whether a value is a number in a range; NaN and true are not."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and low <= value <= high


def _is_label(value: Any) -> bool:
    """Return whether a value is a word that can be shown; a lone surrogate cannot."""
    return isinstance(value, str) and 0 < len(value) <= MAX_LABEL and value.isprintable()


def milliseconds(value: Any) -> float | None:
    """Return a duration of a line in ms, None where it is missing or makes no sense."""
    return float(value) if _is_number(value, 0.0, MAX_MS) else None


def sentence(value: Any) -> str:
    """Return a text of a line as it can be shown, "" where it is missing."""
    return printable(value[:MAX_WHY]) if isinstance(value, str) else ""


def moment(value: Any) -> datetime | None:
    """Return the wall clock of a line ("at"), None where it is missing or makes no sense."""
    try:
        found = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None
    return found if found is not None and 1970 < found.year < 9000 else None


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
        if len(rest) > MAX_LINE_BYTES:  # no session: do not gather it all in memory
            yield rest
            rest = b""
    if rest:
        yield rest


def _no_session(path: Path) -> str:
    return f"{path} is not a session; name what `mien run --jsonl` wrote."
