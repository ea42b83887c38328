"""A source that can be paused: a camera is closed meanwhile, so that its light goes out."""

from __future__ import annotations

import dataclasses
import threading
import time
from collections.abc import Callable, Iterator

from mien.errors import UserError
from mien.sources.base import Change, Frame, Source

SLICE_S = 0.5  # s between two signs of life while it is paused
AGAIN_S = 2.0  # s between two attempts to open a camera that is not there after a pause


class PauseSwitch:
    """A switch between threads: `paused` is asked for every frame, `set` comes from anywhere."""

    def __init__(self) -> None:
        self._resumed = threading.Event()
        self._resumed.set()

    @property
    def paused(self) -> bool:
        """Whether no frame is to be looked at now."""
        return not self._resumed.is_set()

    def set(self, paused: bool) -> None:
        """PauseSwitch, or go on."""
        if paused:
            self._resumed.clear()
        else:
            self._resumed.set()

    def wait(self, seconds: float) -> bool:
        """Wait while paused, so many seconds at most; return whether it goes on."""
        return self._resumed.wait(seconds)


class PausableSource:
    """Takes `source` over; `reopen` opens the same one again and raises UserError.

    Yields a Change "paused" and one "back". Frames' numbers and times go on after a pause.
    """

    def __init__(self, source: Source, reopen: Callable[[], Source], pause: PauseSwitch) -> None:
        # Called now and then while it is paused or looked for.
        self.trying: Callable[[], object] = lambda: None
        self._reopen = reopen
        self._pause = pause
        self._dropped = 0  # by the sources before this one
        self._closed = False
        self._take(source)

    def _take(self, source: Source) -> None:
        self._source = source
        self.name, self.fps = source.name, source.fps
        self.total, self.live = source.total, source.live
        if hasattr(source, "trying"):
            source.trying = lambda: self.trying()

    @property
    def dropped(self) -> int:
        """Frames so far that nobody took."""
        return self._dropped + self._source.dropped

    def frames(self) -> Iterator[Frame | Change]:
        """Yield the source's frames, none while it is paused."""
        items = self._source.frames()
        next_index, last, offset, base = 0, 0.0, 0.0, 0
        while True:
            for item in items:
                last = item.time + offset
                if isinstance(item, Change):
                    yield dataclasses.replace(item, time=last)
                    continue
                next_index = item.index + base + 1
                if self._pause.paused:
                    break
                yield dataclasses.replace(item, index=next_index - 1, time=last)
            else:
                return
            yield Change("paused", last, "The camera is paused.")
            began = time.monotonic()
            if self.live:
                self._dropped += self._source.dropped
                self._source.close()
            while not self._pause.wait(SLICE_S):
                self.trying()
            if self.live:
                if not self._open():
                    return
                items = self._source.frames()
                # A source that is opened anew counts from its first frame.
                last += time.monotonic() - began
                offset, base = last, next_index
            yield Change("back", last, "The camera goes on.")

    def close(self) -> None:
        """Give it back."""
        self._closed = True
        self._source.close()

    def _open(self) -> bool:
        while not self._closed:
            try:
                self._take(self._reopen())
            except UserError:
                self.trying()
                time.sleep(AGAIN_S)
                continue
            return True
        return False
