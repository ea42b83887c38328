"""Shutdown signals: end a run on Ctrl-C, SIGTERM or a closed terminal with every file whole."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator
from types import FrameType
from typing import Any

SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP")


class ShutdownRequested(BaseException):
    """A signal came while nothing was being written."""


class ShutdownSignal:
    """Shutdown request of a run, set by signals.

    A signal only sets `requested`, except inside `waiting()`, where it raises ShutdownRequested at
    once: a camera that gives no frame must not hold the end up. The second signal acts as it would
    without this class.
    """

    def __init__(self) -> None:
        self.requested = False
        self._waiting = False
        self._previous: dict[signal.Signals, Any] = {}

    @contextlib.contextmanager
    def listening(self) -> Iterator[None]:
        """Handle the signals inside; call it in the main thread."""
        for name in SIGNALS:
            number = getattr(signal, name, None)
            if number is None:
                continue
            before = signal.getsignal(number)
            if name == "SIGHUP" and before == signal.SIG_IGN:
                continue  # nohup
            signal.signal(number, self._handle)
            self._previous[number] = signal.SIG_DFL if before is None else before
        try:
            yield
        finally:
            self._restore()

    @contextlib.contextmanager
    def waiting(self) -> Iterator[None]:
        """Let a signal raise ShutdownRequested inside; raises it at once where one came before."""
        self._waiting = True
        try:
            if self.requested:
                raise ShutdownRequested
            yield
        except RuntimeError as error:
            # Raised inside threading's own code it finds a lock half released, whose `with` then
            # complains ("cannot release un-acquired lock"). The run ends either way.
            if isinstance(error.__context__, ShutdownRequested):
                raise ShutdownRequested from None
            raise
        finally:
            self._waiting = False

    def _handle(self, number: int, frame: FrameType | None) -> None:
        self.requested = True
        self._restore()
        if self._waiting:
            self._waiting = False
            raise ShutdownRequested

    def _restore(self) -> None:
        for number, before in self._previous.items():
            signal.signal(number, before)
        self._previous = {}
