"""The threads behind a live source: one opens a device, one reads it and keeps the newest picture.

Python's signal handlers run between two bytecodes of the main thread, never while it is inside
OpenCV or libcamera: so those are called in threads, and the main thread only waits on locks.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

from mien.sources.base import CapturedFrame, Device, SourceLost

# How the threads are called that may still be inside a library when everything else has ended.
THREADS = ("mien read ", "mien open")


class Closable(Protocol):
    """What an opening gives."""

    def close(self) -> None:
        """Give it back."""
        ...


Opened = TypeVar("Opened", bound=Closable)


class FrameGrabber:
    """Reads a device in a thread that owns it and closes it, and keeps only the newest picture.

    OpenCV and drivers queue frames: who reads slower than the camera would see the past.
    """

    def __init__(self, device: Device) -> None:
        self.heard = time.monotonic()  # s, when the last picture came, at first when it was opened
        self.count = 0  # pictures read so far
        self._device = device
        self._news = threading.Condition()
        self._newest: tuple[int, CapturedFrame] | None = None
        self._ended: BaseException | None = None
        self._leaving = False
        self._thread = threading.Thread(
            target=self._run, name=f"{THREADS[0]}{device.name}", daemon=True
        )
        self._thread.start()

    def take(self, patience: float) -> tuple[int, CapturedFrame]:
        """Return the newest picture and its number, waiting for one that was not taken yet.

        Raises SourceLost where the device is lost or none came for `patience` s, and whatever else
        ended the thread.
        """
        with self._news:
            while True:
                if self._newest is not None:
                    newest, self._newest = self._newest, None
                    return newest
                if self._ended is not None:
                    raise self._ended
                left = self.heard + patience - time.monotonic()
                if left <= 0:
                    raise SourceLost(
                        f"{self._device.name} gave no frame for {patience:.3g} s; "
                        "check that it is connected and on."
                    )
                self._news.wait(left)

    def leave(self, seconds: float) -> bool:
        """Let it end after the picture it waits for, and close; False where that takes longer."""
        self._leaving = True
        self._thread.join(max(0.0, seconds))
        return not self._thread.is_alive()

    def _run(self) -> None:
        ended: BaseException = SourceLost(f"{self._device.name} was closed.")
        try:
            while not self._leaving:
                shot = self._device.read()
                with self._news:
                    self._newest = (self.count, shot)
                    self.count += 1
                    self.heard = time.monotonic()
                    self._news.notify_all()
        except BaseException as error:
            ended = error
        with self._news:
            self._ended = ended
            self._news.notify_all()
        with contextlib.suppress(Exception):  # it is lost or no longer wanted either way
            self._device.close()


class BackgroundOpen(Generic[Opened]):
    """Opens something in a thread; what nobody waits for any more is closed when it comes."""

    def __init__(self, work: Callable[[], Opened]) -> None:
        self._work = work
        self._done = threading.Condition()
        self._opened: Opened | None = None
        self._error: BaseException | None = None
        self._abandoned = False
        threading.Thread(target=self._run, name=THREADS[1], daemon=True).start()

    def wait(self, seconds: float) -> Opened | None:
        """Return what was opened, None where that takes longer; raises what opening raised."""
        with self._done:
            self._done.wait_for(lambda: self._opened is not None or self._error, seconds)
            if self._error is not None:
                raise self._error
            opened, self._opened = self._opened, None
            return opened

    def abandon(self) -> None:
        """Have what was not fetched closed; harmless after it was fetched."""
        with self._done:
            self._abandoned = True
            opened, self._opened = self._opened, None
        if opened is not None:
            with contextlib.suppress(Exception):
                opened.close()

    def _run(self) -> None:
        try:
            opened = self._work()
        except BaseException as error:
            with self._done:
                self._error = error
                self._done.notify_all()
            return
        with self._done:
            if not self._abandoned:
                self._opened = opened
                self._done.notify_all()
                return
        with contextlib.suppress(Exception):  # nobody is left to be told
            opened.close()


def open_interruptible(work: Callable[[], Opened]) -> Opened:
    """Open something that may hang for seconds in foreign code, so that Ctrl-C ends the wait."""
    opening = BackgroundOpen(work)
    try:
        while (opened := opening.wait(60.0)) is None:
            pass
        return opened
    finally:
        opening.abandon()
