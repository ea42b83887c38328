"""Page output: serves the page from its own thread, without blocking the frames."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import logging
import socket
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from mien.board import cpu_temperature
from mien.errors import UserError
from mien.log import LogEvent
from mien.outputs.anonymize import FaceAnonymizer
from mien.pipeline.results import FrameResult
from mien.sources.base import Change, Frame, Say
from mien.sources.pausable import PauseSwitch
from mien.web.binding import BindAddress, PageOptions, allowed_hosts, host_and_port, listen_on
from mien.web.calibration import Calibrator

BACKLOG = 64  # connections that the kernel holds, and that are accepted at once
TCP_USER_TIMEOUT_MS = 90_000  # ms after which the kernel gives up a viewer that takes nothing
SEND_BUFFER_BYTES = 64 * 1024  # per viewer; the kernel takes twice that
START_TIMEOUT_S = 10.0  # s for the server to start
STOP_TIMEOUT_S = 3.0  # s for it to end


def check_installed() -> None:
    """Raise UserError where the extra is missing."""
    for module in ("starlette", "uvicorn", "prometheus_client"):
        if importlib.util.find_spec(module) is None:
            raise UserError(
                f"--web needs the package {module.replace('_', '-')}; install what it needs with "
                f"`{sys.executable} -m pip install starlette uvicorn prometheus-client`."
            )


class WebOutput:
    """Serves the page from a thread of its own.

    The constructor binds the address, so that a taken port is a sentence before the run begins;
    raises UserError. `url` is where a browser finds it; `token` what it needs. A made-up one is
    told where `terminal` says that a person reads along (None: where stderr is one), and else kept
    in a file.
    """

    def __init__(
        self,
        options: PageOptions,
        name: str,
        labels: Sequence[str],
        pause: PauseSwitch | None = None,
        temperature: Callable[[], float | None] = cpu_temperature,
        terminal: bool | None = None,
        say: Say = print,
        calibrator: Calibrator | None = None,
        profile: str | None = None,
    ) -> None:
        check_installed()
        from mien.web.access_token import choose_token, stored_token
        from mien.web.mjpeg import MjpegBroadcaster
        from mien.web.state import PageState

        self.token, made = None, False
        if options.proxy is None:
            self.token, made = choose_token(options.address, options.token)
        self._shown = made  # whether the sentence holds it
        self._file: Path | None = None  # in which it is kept instead
        if made and not (sys.stderr.isatty() if terminal is None else terminal):
            self._shown = False
            self.token, self._file = stored_token()
        self._socket = listen_on(options.address)
        self.port = int(self._socket.getsockname()[1])
        host = host_and_port(_display_host(options.address), self.port)
        self.url = f"http://{host}/"
        self._options = options
        self._pause = pause
        self._say = say
        self._blur = FaceAnonymizer() if options.blur else None
        self.state = PageState(
            *(name, labels, pause, temperature),
            recorded=options.recording is not None,
            can_calibrate=calibrator is not None,
        )
        self.state.profile = profile
        self._calibrator = calibrator
        self.broadcaster = MjpegBroadcaster(pause)
        self._server = self._start()

    @property
    def sentence(self) -> str:
        """What to tell the person who started it; a made-up token only on a terminal."""
        where = f"the page is at {self.url}"
        if self._shown:
            return LogEvent(f"{where}?token={self.token}", "page")
        if self._file is not None:
            return LogEvent(f"{where} and asks for the token in {self._file}", "page")
        return LogEvent(f"{where} and asks for the token" if self.token else where, "page")

    def write(self, frame: Frame, result: FrameResult) -> None:
        """Take a frame in; drawing and encoding happen elsewhere, and only for who looks."""
        height, width = frame.gray.shape[:2]
        self.state.add(result, (width, height))
        if self._calibrator is not None:
            self._calibrator.add(frame, result)
        hidden = self._blur.boxes(result) if self._blur is not None else ()
        self.broadcaster.publish(frame, result, hidden)

    def changed(self, change: Change) -> None:
        """Show that the camera was lost, or is back."""
        self.state.changed(change)

    def close(self) -> None:
        """End the streams and the server."""
        self.broadcaster.close()
        self._server.should_exit = True
        self._thread.join(STOP_TIMEOUT_S)
        if self._thread.is_alive():
            self._server.force_exit = True
            self._thread.join(1.0)
        self._socket.close()

    def _start(self) -> Any:
        import uvicorn

        from mien.web.app import application
        from mien.web.auth import AuthMiddleware
        from mien.web.connections import ConnectionLimiter

        limiter = ConnectionLimiter(self._say)
        for name in ("uvicorn", "uvicorn.error", "uvicorn.access", "uvicorn.asgi"):
            logger = logging.getLogger(name)
            # Its words are for those who write servers; ours go through the run.
            logger.addHandler(logging.NullHandler())
            logger.propagate = False
        # What the kernel keeps for a slow viewer is pictures of the past: two or three, not fifty.
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
        if hasattr(socket, "TCP_USER_TIMEOUT"):
            with contextlib.suppress(OSError):
                self._socket.setsockopt(
                    socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, TCP_USER_TIMEOUT_MS
                )
        app = application(
            *(self.state, self.broadcaster, self._pause),
            *(self._options.recording, self._calibrator),
        )
        config = uvicorn.Config(
            _LifespanRouter(
                app,
                AuthMiddleware(
                    app,
                    allowed_hosts(self._options.address, self._options.hosts),
                    self.token,
                    self.port,
                    self._options.root,
                    self._options.proxy,
                ),
            ),
            log_config=None,
            access_log=False,
            lifespan="on",
            server_header=False,
            proxy_headers=False,  # the peer itself counts
            ws="none",
            http=limiter.protocol,  # type: ignore[arg-type]
            loop="asyncio",
            backlog=BACKLOG,
            timeout_graceful_shutdown=1,
        )
        server = uvicorn.Server(config)
        self._thread = threading.Thread(
            target=_serve,
            args=(server, self._socket, limiter.count_bad),
            name="mien-web",
            daemon=True,
        )
        self._thread.start()
        for _ in range(int(START_TIMEOUT_S / 0.01)):
            if server.started:
                return server
            if not self._thread.is_alive():
                break
            self._thread.join(0.01)
        raise UserError("The page's server did not start; run without --web, or install it anew.")


class _LifespanRouter:
    """Sends the start and end of the server to the application, requests to its guard."""

    def __init__(self, app: Any, guard: Any) -> None:
        self._app = app
        self._guard = guard

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Pass on."""
        inner = self._app if scope["type"] == "lifespan" else self._guard
        await inner(scope, receive, send)


def _serve(server: Any, listening: socket.socket, report: Callable[[str], object]) -> None:
    async def serve() -> None:
        def handle(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
            report(str(context["message"]))  # asyncio's own handler would print a traceback

        asyncio.get_running_loop().set_exception_handler(handle)
        await server.serve(sockets=[listening])

    asyncio.run(serve())


def _display_host(address: BindAddress) -> str:
    """Return the name under which another machine, or this one, finds it."""
    if address.loopback:
        return address.host
    return socket.gethostname() if address.host in ("0.0.0.0", "::") else address.host
