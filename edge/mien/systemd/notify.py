"""Notifications to systemd: ready, alive, stopping (sd_notify(3), without libsystemd).

A datagram to the socket that NOTIFY_SOCKET names is all there is to it. Nothing is sent, and
nothing costs, where no service manager asked for it.

What counts as alive: a frame that went through the whole pipeline, and a camera that was lost and
is being tried again. What does not: a read, an interpreter or an output that hangs. So the loop
that does the work calls `Heartbeat.beat`, and no thread or timer does it in its place.
"""

from __future__ import annotations

import contextlib
import os
import socket
import time
from collections.abc import Mapping

PER_LIMIT = 4  # beats sent in the time after which systemd takes the service for dead
STATUS_S = 10.0  # s between two status lines that only differ in their figures


class Heartbeat:
    """The life signs of one run; `from_environment` makes it."""

    def __init__(self, address: str | None = None, limit: float | None = None) -> None:
        """Take the socket's address and the watchdog's limit (s); None of each: nothing is sent."""
        self._socket: socket.socket | None = None
        self._address = ""
        self._every = limit / PER_LIMIT if limit else None
        self._ready = False
        self._beaten = float("-inf")  # s of time.monotonic()
        self._said = float("-inf")
        if address and hasattr(socket, "AF_UNIX"):
            self._address = "\0" + address[1:] if address.startswith("@") else address
            self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
            self._socket.setblocking(False)  # a manager that hangs must not hang the pipeline

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> Heartbeat:
        """Return the heartbeat that the service manager asked for by its variables."""
        given = os.environ if environment is None else environment
        limit = None
        with contextlib.suppress(KeyError, ValueError):
            if int(given.get("WATCHDOG_PID", os.getpid())) == os.getpid():
                limit = int(given["WATCHDOG_USEC"]) / 1e6
        return cls(given.get("NOTIFY_SOCKET"), limit)

    def beat(self) -> None:
        """Say that work was done; the first time, that the service has started."""
        if self._socket is None:
            return
        if not self._ready:
            self._ready = True
            self._send("READY=1")
        now = time.monotonic()
        if self._every is not None and now - self._beaten >= self._every:
            self._beaten = now
            self._send("WATCHDOG=1")

    def status(self, sentence: str, now: bool = False) -> None:
        """Show a sentence in `systemctl status`, at most every ten seconds unless `now`."""
        if self._socket is not None and (now or time.monotonic() - self._said >= STATUS_S):
            self._said = time.monotonic()
            self._send("STATUS=" + " ".join(sentence.split()))

    def stopping(self) -> None:
        """Say that the service is about to end."""
        self._send("STOPPING=1")

    def close(self) -> None:
        """Give the socket back; harmless the second time."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _send(self, message: str) -> None:
        if self._socket is not None:
            # Without its manager the service still has its work to do.
            with contextlib.suppress(OSError):
                self._socket.sendto(message.encode(), self._address)
