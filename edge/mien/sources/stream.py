"""A stream from the network: MJPEG over HTTP, HLS, RTSP, or a video file that a server holds."""

from __future__ import annotations

import time
from urllib.parse import urlsplit, urlunsplit

import cv2
import numpy as np

from mien.errors import UserError
from mien.sources.base import CapturedFrame, Say, SourceLost, usable_fps
from mien.sources.frame_grabber import open_interruptible
from mien.sources.live import LiveSource
from mien.sources.video import VideoSource, frame_count, open_capture

SCHEMES = ("http", "https", "rtsp", "rtsps")
OPEN_S = 10  # s, how long a server may take to answer


class StreamDevice:
    """An opened stream; `stall_s` is how long a read waits (FFmpeg itself would for 30 s)."""

    def __init__(self, url: str, want_color: bool, stall_s: float) -> None:
        self.name = public(url)
        self.capture = open_capture(
            url,
            (
                cv2.CAP_PROP_OPEN_TIMEOUT_MSEC,
                round(OPEN_S * 1000),
                cv2.CAP_PROP_READ_TIMEOUT_MSEC,
                round(stall_s * 1000),
            ),
        )
        if not self.capture.isOpened():
            self.capture.release()
            raise UserError(
                f"{self.name} gives no stream; check the address, the password and that the "
                "camera is on (a browser or `ffplay` should show it)."
            )
        self.fps = usable_fps(self.capture.get(cv2.CAP_PROP_FPS))
        self._want_color = want_color
        self._stall = stall_s

    def read(self) -> CapturedFrame:
        """Wait for the next picture; raises SourceLost after `stall_s` or at the end."""
        more = self.capture.grab()
        arrived = time.monotonic()  # when it was capture_time, a stream does not say
        bgr = self.capture.retrieve()[1] if more else None
        if bgr is None:
            raise SourceLost(
                f"{self.name} ended or gave nothing for {self._stall:g} s; "
                "check the network and the camera."
            )
        picture = np.asarray(bgr, np.uint8)
        gray = np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY), np.uint8)
        return CapturedFrame(arrived, gray, picture if self._want_color else None)

    def close(self) -> None:
        """Close the connection."""
        self.capture.release()


def open_stream(
    url: str, want_color: bool, stall_s: float, say: Say, give_up: float | None = None
) -> LiveSource | VideoSource:
    """Open an address; a file that a server holds has an end and is read whole, as a video.

    Raises UserError where it does not answer or gives nothing that FFmpeg can read.
    """

    def connect() -> StreamDevice:
        return StreamDevice(url, want_color, stall_s)

    device = open_interruptible(connect)
    if frame_count(device.capture) is not None:
        return VideoSource(device.name, device.capture, want_color, say)
    return LiveSource(device, connect, say, stall_s, give_up)


def public(url: str) -> str:
    """Return an address without user name and password, for messages and logs."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
