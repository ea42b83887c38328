"""Text for a terminal: tables, durations and a progress line."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

Item = TypeVar("Item")
PROGRESS_DELAY_S = 1.0  # s before a progress line appears
REDRAW_INTERVAL_S = 0.2  # s between two drawings of it


def table(rows: Iterable[Iterable[str]], right: Iterable[int] = ()) -> str:
    """Return rows of cells as aligned lines; the columns in `right` are aligned to the right."""
    cells = [list(row) for row in rows]
    widths = [max(len(cell) for cell in column) for column in zip(*cells, strict=True)]
    ends = set(right)
    return "\n".join(
        "  ".join(
            cell.rjust(width) if index in ends else cell.ljust(width)
            for index, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in cells
    )


def printable(text: str) -> str:
    """Return a text with its control characters escaped, so that it cannot drive a terminal."""
    return "".join(
        c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text
    )


def percent(share: float | None) -> str:
    """Return a fraction as "85.6 %", "-" where there is none."""
    return "-" if share is None else f"{100 * share:.1f} %"


def format_duration(seconds: float) -> str:
    """Return seconds as 1:05 or 2:01:05."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def progress(items: Iterable[Item], total: int, what: str) -> Iterator[Item]:
    """Yield the items, and show on a terminal how many of `total` are done and the time left.

    The line is on stderr; nothing is shown where that is no terminal.
    """
    shown = sys.stderr is not None and sys.stderr.isatty()
    start = last = time.monotonic()
    drawn = False
    try:
        for done, item in enumerate(items):
            now = time.monotonic()
            if shown and done and now - start > PROGRESS_DELAY_S and now - last > REDRAW_INTERVAL_S:
                left = format_duration((total - done) * (now - start) / done)
                line = f"{100 * done // total:3d} %  {done} of {total} {what}  {left} left"
                print(f"\r\x1b[K{line}", end="", file=sys.stderr, flush=True)
                last, drawn = now, True
            yield item
    finally:
        if drawn:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)
