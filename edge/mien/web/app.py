"""The page's addresses, as a Starlette application."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from importlib import resources

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from mien.sources.pausable import PauseSwitch
from mien.web.calibration import Calibrator
from mien.web.calibration_routes import calibration_routes
from mien.web.history import SPANS
from mien.web.mjpeg import BOUNDARY, MjpegBroadcaster
from mien.web.prometheus import CONTENT_TYPE, exposition, registry_of
from mien.web.session import session_routes
from mien.web.state import PageState

MAX_STREAMS = 16  # browsers that watch at once, pictures and events each
SEND_TIMEOUT_S = 30.0  # s for which a viewer may take nothing before it is let go
EVENT_INTERVAL_S = 0.2  # s between two events
KEEPALIVE_S = 10.0  # s after which a silent stream of events says that it lives
HEALTHY_WITHIN_S = 15.0  # s without a frame after which /healthz says 503
STATIC_FILES = {
    "/": ("page.html", "text/html; charset=utf-8"),
    "/chart.js": ("chart.js", "text/javascript; charset=utf-8"),
    "/page.js": ("page.js", "text/javascript; charset=utf-8"),
    "/calibration.js": ("calibration.js", "text/javascript; charset=utf-8"),
    "/page.css": ("page.css", "text/css; charset=utf-8"),
    "/icon.svg": ("icon.svg", "image/svg+xml"),
}


class StreamSlots:
    """Places for viewers; a place is taken before the stream begins."""

    def __init__(self, count: int) -> None:
        self._free = count

    def take(self) -> bool:
        """Take a place; return whether there was one."""
        if not self._free:
            return False
        self._free -= 1
        return True

    def give_back(self) -> None:
        """Free a place."""
        self._free += 1


class ViewerStream(StreamingResponse):
    """A stream to one viewer, who is disconnected after taking nothing for a while."""

    def __init__(self, content: AsyncIterator[bytes], slots: StreamSlots, kind: str) -> None:
        super().__init__(content, media_type=kind)
        self._slots = slots

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the stream, then give its place back."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._slots.give_back()

    async def stream_response(self, send: Send) -> None:
        """Send each piece within the time."""

        async def send_in_time(message: object) -> None:
            await asyncio.wait_for(send(message), SEND_TIMEOUT_S)  # type: ignore[arg-type]

        with contextlib.suppress(asyncio.TimeoutError):
            await super().stream_response(send_in_time)


class EventStream:
    """The stream of server-sent events: the state where it changed, and each new moment."""

    def __init__(self, state: PageState, broadcaster: MjpegBroadcaster) -> None:
        self._state = state
        self._broadcaster = broadcaster
        self._line: tuple[object, bytes] = (None, b"")

    async def stream(self) -> AsyncIterator[bytes]:
        """Yield events until the server ends."""
        moments = self._state.moments(0)
        last = moments[-1]["number"] if moments else 0
        sent_version: object = None
        silent = 0.0
        yield b"retry: 2000\n\n"
        while not self._broadcaster.closed:
            version = self._state.version()
            for moment in self._state.moments(last):
                last = moment["number"]
                yield _event("moment", moment)
            if version != sent_version:
                sent_version, silent = version, 0.0
                yield self._state_line(version)
            elif (silent := silent + EVENT_INTERVAL_S) >= KEEPALIVE_S:
                # The rates sink while no frame comes.
                silent = 0.0
                yield _event("state", self._state.snapshot())
            await asyncio.sleep(EVENT_INTERVAL_S)

    def _state_line(self, version: object) -> bytes:
        """Return the state's event, made once for all listeners."""
        if self._line[0] != version:
            self._line = (version, _event("state", self._state.snapshot()))
        return self._line[1]


def application(
    state: PageState,
    broadcaster: MjpegBroadcaster,
    pause: PauseSwitch | None = None,
    recording: str | None = None,
    calibrator: Calibrator | None = None,
) -> Starlette:
    """Return the application; `mien.web.auth.AuthMiddleware` belongs around it."""
    registry = registry_of(state, broadcaster)
    events = EventStream(state, broadcaster)

    pictures, listeners = StreamSlots(MAX_STREAMS), StreamSlots(MAX_STREAMS)

    async def live(request: Request) -> Response:
        kind = f"multipart/x-mixed-replace; boundary={BOUNDARY}"
        if request.method == "HEAD":
            return Response(media_type=kind)
        if not pictures.take():
            return _busy()
        return ViewerStream(broadcaster.stream(), pictures, kind)

    async def snapshot(request: Request) -> Response:
        jpeg = await broadcaster.newest()
        if not jpeg:
            return PlainTextResponse("There is no picture yet.\n", 503)
        return Response(jpeg, media_type="image/jpeg")

    async def listen(request: Request) -> Response:
        if request.method == "HEAD":
            return Response(media_type="text/event-stream")
        if not listeners.take():
            return _busy()
        return ViewerStream(events.stream(), listeners, "text/event-stream")

    async def now(request: Request) -> Response:
        return JSONResponse(state.snapshot())

    async def minutes(request: Request) -> Response:
        asked = request.query_params.get("minutes", "5")
        if asked not in map(str, SPANS):
            return PlainTextResponse(f"minutes must be one of {', '.join(map(str, SPANS))}.\n", 400)
        return JSONResponse(state.timeline(int(asked)))

    async def set_pause(request: Request) -> Response:
        if pause is None:
            return PlainTextResponse("This source cannot be paused.\n", 409)
        if "application/json" not in request.headers.get("content-type", ""):
            return PlainTextResponse('Send JSON, as {"paused": true}.\n', 415)
        try:
            paused = (await request.json())["paused"]
        except (ValueError, KeyError, TypeError):
            paused = None
        if not isinstance(paused, bool):
            return PlainTextResponse('Send JSON, as {"paused": true}.\n', 400)
        pause.set(paused)
        return JSONResponse(state.snapshot())

    async def metrics(request: Request) -> Response:
        return Response(exposition(registry), headers={"Content-Type": CONTENT_TYPE})

    async def health(request: Request) -> Response:
        if state.healthy(HEALTHY_WITHIN_S):
            return PlainTextResponse("ok\n")
        return PlainTextResponse("no frames\n", 503)

    @contextlib.asynccontextmanager
    async def life(app: Starlette) -> AsyncIterator[None]:
        await broadcaster.attach()
        yield

    routes = [
        *(Route(path, _file(name, kind)) for path, (name, kind) in STATIC_FILES.items()),
        Route("/live.mjpg", live),
        Route("/snapshot.jpg", snapshot),
        Route("/api/state", now),
        Route("/api/timeline", minutes),
        Route("/api/events", listen),
        Route("/api/pause", set_pause, methods=["POST"]),
        *session_routes(recording),
        *calibration_routes(calibrator, state),
        Route("/metrics", metrics),
        Route("/healthz", health),
    ]
    return Starlette(routes=routes, lifespan=life)


def _file(name: str, kind: str) -> Callable[[Request], Response]:
    data = resources.files("mien.web").joinpath("page", name).read_bytes()

    def answer(request: Request) -> Response:
        return Response(data, headers={"Content-Type": kind})

    return answer


def _busy() -> Response:
    return PlainTextResponse("Too many viewers.\n", 503)


def _event(name: str, content: object) -> bytes:
    return f"event: {name}\ndata: {json.dumps(content, allow_nan=False)}\n\n".encode()
