"""A line on the terminal that says how far a run is; nothing where stderr is no terminal."""

from __future__ import annotations

import shutil
import sys
import time
from collections import deque

from mien.pipeline.results import FrameResult
from mien.systemd.journal import tell

EVERY_S = 0.2  # s between two lines
RECENT = 10  # lines over which the rate is taken


class Status:
    """The progress of a run on stderr."""

    def __init__(self) -> None:
        self.total: int | None = None  # frames that there will be, where that is known
        self._shown = sys.stderr is not None and sys.stderr.isatty()
        self._drawn = False
        self._marks: deque[tuple[float, int]] = deque([(time.monotonic(), 0)], RECENT)

    def update(self, done: int, result: FrameResult) -> None:
        """Draw the line anew where it is time for it."""
        now = time.monotonic()
        if not self._shown or now - self._marks[-1][0] < EVERY_S:
            return
        then, before = self._marks[0]
        rate = (done - before) / (now - then)
        self._marks.append((now, done))
        faces = ", ".join(f"{f.emotion} {f.confidence:.2f}" for f in result.faces)
        # A line that wraps could not be taken away again.
        line = f"{self._text(done, result.time, rate)}  {faces}"[
            : shutil.get_terminal_size()[0] - 1
        ]
        print(f"\r\x1b[K{line}", end="", file=sys.stderr, flush=True)
        self._drawn = True

    def say(self, sentence: str) -> None:
        """Print a sentence, on stderr, terminal or not."""
        self.clear()
        tell(sentence)

    def clear(self) -> None:
        """Take the line away."""
        if self._drawn:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)
            self._drawn = False

    def _text(self, done: int, seconds: float, rate: float) -> str:
        if not self.total:
            return f"{clock(seconds)}  {done} frames  {rate:.1f}/s"
        left = max(0, self.total - done) / rate if rate else 0.0
        share = min(100, 100 * done // self.total)
        return f"{share:3d} %  {done} of {self.total} frames  {rate:.1f}/s  {clock(left)} left"


def clock(seconds: float) -> str:
    """Return seconds as 1:05 or 2:01:05."""
    whole = round(seconds)
    minutes, rest = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
