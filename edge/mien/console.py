"""How far a command is, on stderr where that is a terminal, once it has taken a while."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

from mien.outputs.status_line import clock

Item = TypeVar("Item")
PATIENCE_S = 1.0  # s before anything is shown
EVERY_S = 0.2  # s between two lines


def progress(items: Iterable[Item], total: int, what: str) -> Iterator[Item]:
    """Yield the items, and show how many of `total` are done and how long the rest will take."""
    shown = sys.stderr is not None and sys.stderr.isatty()
    start = last = time.monotonic()
    drawn = False
    try:
        for done, item in enumerate(items):
            now = time.monotonic()
            if shown and done and now - start > PATIENCE_S and now - last > EVERY_S:
                left = clock((total - done) * (now - start) / done)
                line = f"{100 * done // total:3d} %  {done} of {total} {what}  {left} left"
                print(f"\r\x1b[K{line}", end="", file=sys.stderr, flush=True)
                last, drawn = now, True
            yield item
    finally:
        if drawn:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)
