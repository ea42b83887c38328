"""A page that is served for a test, frames for it, and a plain visitor."""

from __future__ import annotations

import contextlib
import functools
import http.client
import json
import socket
from collections.abc import Iterator
from typing import Any

import numpy as np
from made import LABELS
from mien.classification.prediction import Prediction
from mien.pipeline.results import Face, FrameResult
from mien.sources.base import Frame
from mien.sources.pausable import PauseSwitch
from mien.web.binding import PageOptions, parse_bind_address
from mien.web.server import WebOutput
from running import PATIENCE


def face(emotion: str = "happy", box: tuple[int, int, int, int] = (40, 40, 60, 60), id: int = 1):
    rest = 0.1 / (len(LABELS) - 1)
    sure = {label: 0.9 if label == emotion else rest for label in LABELS}
    return Face(box, Prediction(emotion, 0.9, sure), id)


def seen(
    index: int, *faces: Face, time: float | None = None, size: tuple[int, int] = (240, 320)
) -> tuple[Frame, FrameResult]:
    """A noisy frame, which JPEG cannot make small, and what was found in it."""
    noise = _noise(size)
    at = index / 30 if time is None else time
    ms = {"detect": 4.0, "classify": 1.0, "total": 5.0}
    return Frame(index, at, noise[..., 0], noise), FrameResult(index, at, faces, ms, 0.04)


@functools.cache
def _noise(size: tuple[int, int]) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 255, (*size, 3), np.uint8)


@contextlib.contextmanager
def served(
    address: str = "127.0.0.1:0",
    token: str | None = None,
    pause: PauseSwitch | None = None,
    blur: bool = False,
    terminal: bool = True,
    root: str = "",
    hosts: tuple[str, ...] = (),
    recording: str | None = None,
    proxy: str | None = None,
    **options: Any,
) -> Iterator[WebOutput]:
    where = parse_bind_address(address)
    page = PageOptions(where, token, root, hosts, blur, proxy, recording)
    output = WebOutput(page, "clip.mp4", LABELS, pause, lambda: 51.5, terminal, **options)
    try:
        yield output
    finally:
        output.close()


def get(
    output: WebOutput, path: str, method: str = "GET", body: str | None = None, **headers: str
) -> tuple[int, dict[str, str], bytes]:
    """Ask for a path; header names have _ for -."""
    connection = http.client.HTTPConnection("127.0.0.1", output.port, timeout=30 * PATIENCE)
    try:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, path, body, named)
        answer = connection.getresponse()
        return answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read()
    finally:
        connection.close()


def get_json(output: WebOutput, path: str) -> Any:
    return json.loads(get(output, path)[2])


def watch(
    output: WebOutput, path: str, receive_buffer: int | None = None, **headers: str
) -> socket.socket:
    """Ask for a stream and return the socket, unread."""
    viewer = socket.socket()
    if receive_buffer is not None:
        viewer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    viewer.settimeout(10 * PATIENCE)
    viewer.connect(("127.0.0.1", output.port))
    lines = [f"GET {path} HTTP/1.1", "Host: localhost", *(f"{k}: {v}" for k, v in headers.items())]
    viewer.sendall("\r\n".join([*lines, "", ""]).encode())
    return viewer


def read_until(viewer: socket.socket, marks: bytes, count: int = 1) -> bytes:
    """Read until something was seen so many times."""
    data = b""
    while data.count(marks) < count:
        more = viewer.recv(65536)
        assert more, data[-500:]
        data += more
    return data
