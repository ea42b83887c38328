"""A camera or a stream as a source: its newest frame, and after a loss the search for it."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterator

from mien.errors import UserError
from mien.log import LogEvent
from mien.sources.base import CapturedFrame, Change, Device, Frame, Say, SourceLost
from mien.sources.frame_grabber import BackgroundOpen, FrameGrabber

RETRY_FIRST_S = 1.0  # s before a lost device is opened again; doubled for each further attempt
RETRY_MAX_S = 30.0  # s between two attempts at most
WARM_UP_S = 10.0  # s that an opened device may take to its first frame, where stall_s is less
CLOSE_S = 6.0  # s for a lost device to be given back, before its place is tried all the same
SILENT_S = 30.0  # s after which an opening that hangs is told
RESTART = "start mien again if it stays so."


class LiveSource:
    """The newest frame of a device, whatever the reader's pace, through unplugs and stalls.

    Takes `device` over. `reopen` opens the same one again and raises UserError where it is not
    there. A device counts as lost when its `read` says so or, where `read` hangs, soon after
    `stall_s` without a frame. `give_up` is how many seconds without a frame end the source; None:
    it is looked for until it is back. `pause` stands in for the waits between attempts.
    """

    live = True
    total = None

    def __init__(
        self,
        device: Device,
        reopen: Callable[[], Device],
        say: Say = print,
        stall_s: float = 5.0,
        give_up: float | None = None,
        pause: Callable[[float], object] | None = None,
    ) -> None:
        self.name = device.name
        self.fps = device.fps
        self.dropped = 0
        self._device = device
        self._reopen = reopen
        self._say = say
        self._give_up = math.inf if give_up is None else give_up
        # `read` ends by itself at stall_s and knows better why; this is for one that hangs.
        self._patience = min(stall_s + 0.5, self._give_up or math.inf)
        self._warm_up = max(self._patience, WARM_UP_S)
        self._closing = threading.Event()
        self._pause = pause or self._closing.wait
        # Called at each attempt to find it again: the watchdog's sign that the search goes on.
        self.trying: Callable[[], object] = lambda: None
        self._reader: FrameGrabber | None = None
        self._start: float | None = None  # s of time.monotonic(), of the first exposure
        self._time = 0.0  # s, of the newest frame or change
        self._before = 0  # pictures of the readers before this one
        self._expected = 0  # index of the next frame, were none dropped
        self._shape: tuple[int, ...] = ()

    def frames(self) -> Iterator[Frame | Change]:
        """Yield the newest frame each time, never one twice, and a Change at each loss and return.

        Raises SourceLost where the device never gave a frame, or was given up.
        """
        reader = self._reader = FrameGrabber(self._device)
        try:
            newest = reader.take(self._warm_up)
        except SourceLost as error:
            if self._closing.is_set():
                return
            # It never ran: whoever started it is to be told at once.
            raise SourceLost(str(error)) from error
        while True:
            yield self._frame(*newest)
            try:
                newest = reader.take(self._patience)
            except SourceLost as error:
                lost = error
            else:
                continue
            if self._closing.is_set():
                return
            self._before += reader.count
            yield self._lost(str(lost))
            again = self._search(reader, str(lost))
            if again is None:
                return
            away = time.monotonic() - reader.heard
            reader, newest = again
            yield self._back(away, newest[1])

    def close(self) -> None:
        """Stop reading; a read that hangs in the driver is left behind after three seconds."""
        self._closing.set()
        if self._reader is None:
            self._device.close()
        else:
            self._reader.leave(3.0)

    def _frame(self, number: int, shot: CapturedFrame) -> Frame:
        if self._start is None:
            self._start = shot.capture_time
        index = self._before + number
        self.dropped += index - self._expected
        self._expected = index + 1
        self._time = max(self._time, shot.capture_time - self._start)
        self._shape = shot.gray.shape
        return Frame(index, self._time, shot.gray, shot.bgr, capture_time=shot.capture_time)

    def _change(self, state: str, why: str) -> Change:
        self._time = max(self._time, time.monotonic() - (self._start or 0.0))
        return Change(state, self._time, why)

    def _lost(self, why: str) -> Change:
        if self._give_up:
            limit = "" if math.isinf(self._give_up) else f" for {self._give_up:g} s at most"
            self._say(LogEvent(f"{why} Looking for it{limit}.", "lost", source=self.name))
        return self._change("lost", why)

    def _back(self, away: float, shot: CapturedFrame) -> Change:
        why = f"{self.name} is back after {away:.0f} s"
        if shot.gray.shape != self._shape:
            why += f", with {shot.gray.shape[1]}x{shot.gray.shape[0]} px"
        self._say(LogEvent(f"{why}.", "back", source=self.name, away=round(away)))
        # Not its clock's time now: the frame that follows is a little older than this moment.
        self._time = max(self._time, shot.capture_time - (self._start or 0.0))
        return Change("back", self._time, f"{why}.")

    def _search(
        self, lost: FrameGrabber, why: str
    ) -> tuple[FrameGrabber, tuple[int, CapturedFrame]] | None:
        """Open the device again and again until it gives a frame; None where it is closed.

        Raises SourceLost where that takes longer than `give_up` since the last frame.
        """
        deadline = lost.heard + self._give_up
        left = deadline - time.monotonic()
        free = lost.leave(min(CLOSE_S, left))
        if not free and left > CLOSE_S:
            self._say(f"{self.name} does not let go of its device; {RESTART}")
        for delay in delays(RETRY_FIRST_S, RETRY_MAX_S):
            if free:  # a read that hangs on is for the watchdog: a new process frees its device
                self.trying()
            self._pause(max(0.0, min(delay, deadline - time.monotonic())))
            if self._closing.is_set():
                return None
            if time.monotonic() >= deadline:
                break
            device = self._open(deadline)
            if device is None:
                continue
            reader = self._reader = FrameGrabber(device)
            try:
                return reader, reader.take(min(self._warm_up, deadline - time.monotonic()))
            except SourceLost:
                reader.leave(min(CLOSE_S, deadline - time.monotonic()))
        raise SourceLost(
            f"{self.name} gave no frame for {self._give_up:g} s and is given up: {why}"
        )

    def _open(self, deadline: float) -> Device | None:
        opening = BackgroundOpen(self._reopen)
        started = time.monotonic()
        said = False
        try:
            while not self._closing.is_set():
                now = time.monotonic()
                if now >= deadline:
                    break
                device = opening.wait(min(1.0, deadline - now))
                if device is not None:
                    return device
                if not said and now - started > SILENT_S:
                    said = True
                    self._say(f"{self.name} hangs as it is opened; {RESTART}")
        except UserError:
            pass
        finally:
            opening.abandon()
        return None


def delays(first: float, most: float) -> Iterator[float]:
    """Yield the waits before attempt after attempt, s: doubled each time, up to `most`."""
    delay = first
    while True:
        yield min(delay, most)
        delay = min(2 * delay, most)
