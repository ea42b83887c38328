"""A real MJPEG server on loopback whose stream can be long, cut, stalled, and gone for a while."""

from __future__ import annotations

import http.server
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import cv2
import numpy as np

SIZE = (160, 120)  # px, width and height
FPS = 30.0
asked = threading.Event()  # set by a request that /mute leaves without an answer


def numbered(number: int) -> bytes:
    """Return a JPEG that is as bright as its number says: number * 4, gray."""
    picture = np.full((SIZE[1], SIZE[0], 3), number * 4, np.uint8)
    return bytes(cv2.imencode(".jpg", picture)[1].tobytes())


FRAMES = tuple(numbered(i) for i in range(60))


def number_of(gray: np.ndarray) -> int:
    """Return the number of a frame of `FRAMES`."""
    return round(float(gray.mean()) / 4)


def part(frame: bytes) -> bytes:
    head = b"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n"
    return head % len(frame) + frame + b"\r\n"


class Quiet(http.server.BaseHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass

    def start_stream(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
        self.end_headers()


class Handler(Quiet):
    """Serves frames at 30 a second.

    /ok goes on for 30 s, /cut ends after 10 frames, /stall stands still after 10, /mute never
    answers, and the names in `files` are files.
    """

    files: dict[str, bytes]

    def do_GET(self) -> None:
        kind = self.path.rpartition("/")[2]
        if kind in self.files:
            self.send_response(200)
            self.send_header("Content-Length", str(len(self.files[kind])))
            self.end_headers()
            self.wfile.write(self.files[kind])
            return
        if kind == "mute":
            asked.set()
            self.server.release.wait(20)  # type: ignore[attr-defined]
            return
        if kind not in ("ok", "cut", "stall"):
            self.send_error(404)
            return
        self.start_stream()
        try:
            for number, frame in enumerate(FRAMES * 15):
                if kind == "cut" and number == 10:
                    return
                if kind == "stall" and number == 10:
                    self.server.release.wait(20)  # type: ignore[attr-defined]
                    return
                self.wfile.write(part(frame))
                time.sleep(1 / FPS)
        except OSError:
            pass  # the client has gone


@contextmanager
def serving(files: dict[str, bytes] | None = None) -> Iterator[str]:
    """Serve on a free port of loopback; yields the address without a path."""
    handler = type("Files", (Handler,), {"files": files or {}})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.release = threading.Event()  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.release.set()  # type: ignore[attr-defined]
        server.shutdown()
        thread.join()
        server.server_close()


class Camera:
    """A network camera whose cable the test pulls: one port that can refuse, be mute and cut.

    Frame n of all that were ever sent is `FRAMES[n % 60]`; `sent` has the moment of each, s of
    time.monotonic().
    """

    def __init__(self) -> None:
        self.sent: list[float] = []
        self.mute = False  # takes connections and answers nothing
        self.silent = False  # keeps its streams open and sends nothing
        self.asked = 0  # requests so far
        self._ends = threading.Event()  # set: the streams of now end
        self._port = 0
        self._server: http.server.ThreadingHTTPServer | None = None
        self.plug()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self._port}/stream"

    def plug(self) -> None:
        """Listen, at the same port as before."""
        camera = self

        class Stream(Quiet):
            def do_GET(self) -> None:
                camera.serve(self)

        class Server(http.server.ThreadingHTTPServer):
            def handle_error(self, request: object, client_address: object) -> None:
                pass  # clients that go are what the test is about

        self._ends = threading.Event()
        self._server = Server(("127.0.0.1", self._port), Stream)
        self._port = self._server.server_port
        threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
        ).start()

    def unplug(self) -> None:
        """End every stream and refuse connections."""
        self._ends.set()
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()  # waits for the streams
            self._server = None

    def cut(self) -> None:
        """End every stream; the next request is answered."""
        self._ends.set()
        self._ends = threading.Event()

    def serve(self, request: Quiet) -> None:
        self.asked += 1
        ends = self._ends
        if self.mute:
            ends.wait(20)
            return
        request.start_stream()
        while not ends.is_set():
            if not self.silent:
                request.wfile.write(part(FRAMES[len(self.sent) % 60]))
                self.sent.append(time.monotonic())
            ends.wait(1 / FPS)


@contextmanager
def network_camera() -> Iterator[Camera]:
    camera = Camera()
    try:
        yield camera
    finally:
        camera.unplug()
