"""A stream from the network: MJPEG over HTTP, HLS, RTSP, or a video file that a server holds."""

from __future__ import annotations

import time
from urllib.parse import urlsplit, urlunsplit

import cv2
import numpy as np

from edge.errors import UserError
from edge.sources.capture import open_capture
from edge.sources.frame import Say, Shot, SourceLost, usable_fps
from edge.sources.live import LiveSource, patiently
from edge.sources.video import VideoSource, frame_count

SCHEMES = ("http", "https", "rtsp", "rtsps")
OPEN_S = 10  # s, how long a server may take to answer
READ_S = 5  # s without a frame; without a limit FFmpeg blocks for 30


class StreamDevice:
    """An opened stream."""

    def __init__(self, url: str, want_colour: bool) -> None:
        self.name = public(url)
        self.capture = open_capture(
            url,
            (
                cv2.CAP_PROP_OPEN_TIMEOUT_MSEC,
                OPEN_S * 1000,
                cv2.CAP_PROP_READ_TIMEOUT_MSEC,
                READ_S * 1000,
            ),
        )
        if not self.capture.isOpened():
            self.capture.release()
            raise UserError(
                f"{self.name} gives no stream; check the address, the password and that the "
                "camera is on (a browser or `ffplay` should show it)."
            )
        self.fps = usable_fps(self.capture.get(cv2.CAP_PROP_FPS))
        self._want_colour = want_colour

    def read(self) -> Shot:
        """Wait for the next picture; raises SourceLost after five seconds or at the end."""
        more, bgr = self.capture.read()
        taken = time.monotonic()
        if not more:
            raise SourceLost(
                f"{self.name} ended or gave nothing for {READ_S} s; "
                "check the network and the camera, then start again."
            )
        picture = np.asarray(bgr, np.uint8)
        gray = np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY), np.uint8)
        return Shot(taken, gray, picture if self._want_colour else None)

    def close(self) -> None:
        """Close the connection."""
        self.capture.release()


def open_stream(url: str, want_colour: bool, say: Say) -> LiveSource | VideoSource:
    """Open an address; a file that a server holds has an end and is read whole, as a video.

    Raises UserError where it does not answer or gives nothing that FFmpeg can read.
    """
    device = patiently(lambda: StreamDevice(url, want_colour))
    if frame_count(device.capture) is not None:
        return VideoSource(device.name, device.capture, want_colour, say)
    return LiveSource(device)


def public(url: str) -> str:
    """Return an address without user name and password, for messages and logs."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
