"""A stream from the network: MJPEG over HTTP, HLS, RTSP, or a video file that a server holds."""

from __future__ import annotations

import re
import socket
import time

import cv2
import numpy as np

from mien.errors import UserError
from mien.sources.address import Address, parse_address
from mien.sources.base import CapturedFrame, ReadOptions, Say, SourceLost, usable_fps
from mien.sources.frame_grabber import open_interruptible
from mien.sources.http import OPEN_S, open_http, refusal, tls_context, unreachable
from mien.sources.live import LiveSource
from mien.sources.mjpeg import MjpegDevice
from mien.sources.snapshot import SnapshotSource
from mien.sources.video import MAX_FAILED_READS, VideoSource, frame_count, open_capture, squared

PAGES = ("text/html", "application/xhtml+xml")


class _SinglePicture(UserError):
    """The address is the snapshot of a camera, not its stream."""


class StreamDevice:
    """A stream that FFmpeg reads; `stall_s` is how long a read waits (FFmpeg would for 30 s)."""

    def __init__(
        self, address: Address, want_color: bool, stall_s: float, insecure: bool = False
    ) -> None:
        self.name = address.name
        timeouts = (
            *(cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, round(OPEN_S * 1000)),
            *(cv2.CAP_PROP_READ_TIMEOUT_MSEC, round(stall_s * 1000)),
        )
        self.capture = open_capture(address.full, timeouts, insecure)
        if not self.capture.isOpened():
            self.capture.release()
            raise UserError(_why_not_opened(address, insecure))
        self.fps = usable_fps(self.capture.get(cv2.CAP_PROP_FPS))
        self._want_color = want_color
        self._stall = stall_s

    def read(self) -> CapturedFrame:
        """Wait for the next picture; raises SourceLost after `stall_s` or at the end."""
        deadline = time.monotonic() + self._stall
        bgr = None
        for _ in range(MAX_FAILED_READS):  # a damaged packet is not the end
            more = self.capture.grab()
            arrived = time.monotonic()  # when it was captured, a stream does not state
            bgr = self.capture.retrieve()[1] if more else None
            if bgr is not None or arrived > deadline:
                break
        if bgr is None:
            raise SourceLost(
                f"{self.name} ended or gave nothing for {self._stall:g} s; "
                "check the network and the camera."
            )
        picture = squared(np.asarray(bgr, np.uint8), self.capture)
        gray = np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY), np.uint8)
        return CapturedFrame(arrived, gray, picture if self._want_color else None)

    def close(self) -> None:
        """Close the connection."""
        self.capture.release()


def open_stream(
    url: str,
    want_color: bool,
    stall_s: float,
    say: Say,
    give_up: float | None = None,
    options: ReadOptions | None = None,
) -> LiveSource | VideoSource | SnapshotSource:
    """Open an address: a stream, a video file that a server holds, or the snapshot of a camera.

    A file is read whole, as a video. Raises UserError with the cause where the server does not
    answer or gives nothing that can be read.
    """
    options = options or ReadOptions()
    address = parse_address(url)

    def connect() -> MjpegDevice | StreamDevice:
        return _connect(address, want_color, stall_s, options.insecure)

    try:
        device = open_interruptible(connect)
    except _SinglePicture:
        return SnapshotSource(address, want_color, say, options.every_s, give_up, options.insecure)
    if isinstance(device, StreamDevice) and frame_count(device.capture) is not None:
        return VideoSource(device.name, device.capture, want_color, say, options.input_fps)
    return LiveSource(device, connect, say, stall_s, give_up)


def _connect(
    address: Address, want_color: bool, stall_s: float, insecure: bool
) -> MjpegDevice | StreamDevice:
    """Open a stream: parts of pictures are read here, everything else by FFmpeg."""
    if address.scheme in ("http", "https"):
        answer = open_http(address, insecure)
        kind = answer.headers.get_content_type()
        if kind.startswith("multipart/"):
            return MjpegDevice(address.name, answer, want_color, stall_s)
        answer.close()
        if kind in PAGES:
            raise UserError(
                f"{address.name} is a web page, not a stream; give the stream's own address."
            )
        if kind.startswith("image/"):
            raise _SinglePicture(f"{address.name} is a single picture ({kind}), not a stream.")
    elif address.scheme == "rtsps" and not insecure:
        _check_certificate(address)
    return StreamDevice(address, want_color, stall_s, insecure)


def _check_certificate(address: Address) -> None:
    """Raise UserError unless a server's certificate is trusted."""
    try:
        with (
            socket.create_connection((address.host, address.port), OPEN_S) as plain,
            tls_context(insecure=False).wrap_socket(plain, server_hostname=address.host),
        ):
            pass
    except (OSError, ValueError) as error:
        raise UserError(unreachable(address, error)) from error


def _why_not_opened(address: Address, insecure: bool) -> str:
    """Return why FFmpeg could not open a stream: what the server answers, as far as it tells."""
    if address.scheme.startswith("rtsp"):
        found = _rtsp_refusal(address, insecure)
        if found:
            return found
    return (
        f"{address.name} answers with nothing that can be read as a video stream; check the path "
        "(a browser or `ffplay` should show it)."
    )


def _rtsp_refusal(address: Address, insecure: bool) -> str | None:
    """Ask an RTSP server for the stream's description; None where it gives one."""
    question = (
        f"DESCRIBE {address.url} RTSP/1.0\r\nCSeq: 1\r\nAccept: application/sdp\r\n"
        "User-Agent: mien\r\n\r\n"
    )
    try:
        with socket.create_connection((address.host, address.port), OPEN_S) as plain:
            connection = plain
            if address.scheme == "rtsps":
                context = tls_context(insecure)
                connection = context.wrap_socket(plain, server_hostname=address.host)
            with connection:
                connection.sendall(question.encode("utf-8", "replace"))
                head = connection.recv(200).decode("latin-1")
    except (OSError, ValueError) as error:
        return unreachable(address, error)
    status = re.match(r"RTSP/[0-9.]+ ([0-9]{3}) ?([ -~]*)", head)
    if status is None:
        return f"{address.name} does not speak RTSP; check scheme and port."
    code = int(status[1])
    return None if code == 200 else refusal(address.name, code, status[2].strip(), address.user)
