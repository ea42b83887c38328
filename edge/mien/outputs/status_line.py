"""Status line of a run on the terminal; silent where stderr is not a terminal."""

from __future__ import annotations

import shutil
import sys
import time

from mien.console import format_duration
from mien.frame_rate import FrameRate
from mien.log import warn_user
from mien.pipeline.results import FrameResult

REFRESH_S = 0.2  # s between two lines
FPS_WINDOW_S = 2.0  # s over which the frame rate is taken


class StatusLine:
    """The progress of a run on stderr."""

    def __init__(self) -> None:
        self.total: int | None = None  # frames that there will be, where that is known
        self._shown = sys.stderr is not None and sys.stderr.isatty()
        self._drawn = False
        self._drawn_at = time.monotonic()
        self._frame_rate = FrameRate(FPS_WINDOW_S)

    def update(self, done: int, result: FrameResult) -> None:
        """Draw the line anew where it is time for it."""
        now = time.monotonic()
        self._frame_rate.add(now)
        if not self._shown or now - self._drawn_at < REFRESH_S:
            return
        self._drawn_at = now
        rate = self._frame_rate.at(now)
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
        warn_user(sentence)

    def clear(self) -> None:
        """Take the line away."""
        if self._drawn:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)
            self._drawn = False

    def _text(self, done: int, seconds: float, rate: float) -> str:
        if not self.total:
            return f"{format_duration(seconds)}  {done} frames  {rate:.1f}/s"
        left = max(0, self.total - done) / rate if rate else 0.0
        share = min(100, 100 * done // self.total)
        count = f"{done} of {self.total} frames"
        return f"{share:3d} %  {count}  {rate:.1f}/s  {format_duration(left)} left"
