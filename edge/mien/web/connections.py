"""Bounded connections of the page: an HTTP protocol with a limit, a time limit and a quiet log.

Any machine in the network can open connections without a token. So their number is bounded. Where
it is reached, the oldest connection that serves no authorized request makes room for the newest:
a viewer and /healthz always get in. A connection that sends no whole request is closed after
`REQUEST_TIMEOUT_S`.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

MAX_CONNECTIONS = 64  # more than all streams together, so that there always is one to give way
REQUEST_TIMEOUT_S = 10.0  # s for a whole request, headers and body
REPORT_INTERVAL_S = 60.0  # s between two messages about bad requests
CONNECTION = "mien.connection"  # key of the connection in the ASGI scope


class ConnectionLimiter:
    """The connections of one server, oldest first; reports bad ones once a minute at most."""

    def __init__(
        self,
        report: Callable[[str], object],
        limit: int = MAX_CONNECTIONS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._report = report
        self._limit = limit
        self._clock = clock
        self._connections: dict[LimitedProtocol, None] = {}
        self._bad = 0  # since the last message
        self._reported = float("-inf")

    def protocol(self, **options: Any) -> LimitedProtocol:
        """Return the protocol of a new connection, as uvicorn asks for it."""
        return LimitedProtocol(self, **options)

    def add(self, connection: LimitedProtocol) -> None:
        """Count a new connection; close the oldest one that may give way, else the new one."""
        if len(self._connections) >= self._limit:
            oldest = next((c for c in self._connections if not c.authorized), connection)
            oldest.abort("too many connections")
            self._connections.pop(oldest, None)
            if oldest is connection:
                return
        self._connections[connection] = None

    def remove(self, connection: LimitedProtocol) -> None:
        """Forget a connection that has ended."""
        self._connections.pop(connection, None)

    def count_bad(self, why: str) -> None:
        """Count a connection that was closed for its own fault; report the count now and then."""
        self._bad += 1
        now = self._clock()
        if now - self._reported >= REPORT_INTERVAL_S:
            count = "1 bad connection" if self._bad == 1 else f"{self._bad} bad connections"
            self._report(f"the page closed {count} (the last one: {why}).")
            self._reported, self._bad = now, 0


class LimitedProtocol(H11Protocol):
    """One connection, with its time limit. `authorized` while it serves an authorized request."""

    def __init__(self, limiter: ConnectionLimiter, **options: Any) -> None:
        super().__init__(**options)
        self.authorized = False
        self._limiter = limiter
        self._timer: asyncio.TimerHandle | None = None
        self._silent = True  # nothing was sent on it: a browser opens such in advance
        application = self.app

        async def with_connection(scope: Scope, receive: Receive, send: Send) -> None:
            scope[CONNECTION] = self
            await application(scope, receive, send)

        self.app = with_connection

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Count the connection and start its time."""
        super().connection_made(transport)
        self._limiter.add(self)
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        self._stop_timer()
        self._limiter.remove(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take bytes in; what cannot be parsed ends the connection without a traceback."""
        self._silent = False
        try:
            super().data_received(data)
        except Exception:  # h11's state does not allow an answer any more
            self.abort("malformed request")
        else:
            self._watch()

    def send_400_response(self, msg: str) -> None:
        """Answer a malformed request and count it."""
        super().send_400_response(msg)
        self._limiter.count_bad("malformed request")

    def on_response_complete(self) -> None:
        """Start the time of the next request on this connection."""
        super().on_response_complete()
        self._watch()

    def abort(self, why: str) -> None:
        """Close the connection at once, without sending what waits."""
        self._limiter.count_bad(why)
        self.transport.abort()

    def _watch(self) -> None:
        """Run the timer while no whole request is here."""
        whole = self.cycle and not self.cycle.response_complete and not self.cycle.more_body
        if whole or self.transport.is_closing():
            self._stop_timer()
        elif self._timer is None:
            self._timer = self.loop.call_later(REQUEST_TIMEOUT_S, self._expire)

    def _expire(self) -> None:
        if self._silent:
            self.transport.abort()
        else:
            self.abort(f"no whole request in {REQUEST_TIMEOUT_S:g} s")

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
