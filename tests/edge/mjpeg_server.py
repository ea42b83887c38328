"""A real MJPEG server on loopback whose stream can be long, cut or stalled."""

from __future__ import annotations

import http.server
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import cv2
import numpy as np

SIZE = (160, 120)  # px, width and height
asked = threading.Event()  # set by a request that /mute leaves without an answer


def numbered(number: int) -> bytes:
    """Return a JPEG that is as bright as its number says: number * 4, gray."""
    picture = np.full((SIZE[1], SIZE[0], 3), number * 4, np.uint8)
    return bytes(cv2.imencode(".jpg", picture)[1].tobytes())


class Handler(http.server.BaseHTTPRequestHandler):
    """Serves frames at 30 a second.

    /ok goes on for 30 s, /cut ends after 10 frames, /stall stands still after 10, /mute never
    answers, and the names in `files` are files.
    """

    files: dict[str, bytes]
    frames = tuple(numbered(i) for i in range(60))

    def log_message(self, format: str, *args: object) -> None:
        pass

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
        self.send_response(200)
        self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
        self.end_headers()
        try:
            for number, frame in enumerate(self.frames * 15):
                if kind == "cut" and number == 10:
                    return
                if kind == "stall" and number == 10:
                    self.server.release.wait(20)  # type: ignore[attr-defined]
                    return
                head = b"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n"
                self.wfile.write(head % len(frame) + frame + b"\r\n")
                time.sleep(1 / 30)
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
