"""MJPEG over HTTP, read part by part: also from servers whose boundaries FFmpeg does not take."""

from __future__ import annotations

import time
from http.client import HTTPException
from typing import Any

import cv2
import numpy as np

from mien.image import MAX_PIXELS
from mien.image_header import read_header
from mien.sources.base import CapturedFrame, Pixels, SourceLost

CHUNK_BYTES = 1 << 16
MAX_JPEG_BYTES = 16 << 20
BAD_IN_A_ROW = 30  # pictures that cannot be decoded before the stream counts as lost
START, END = b"\xff\xd8\xff", 0xD9
STUFFED = (0x00, *range(0xD0, 0xD8))  # what may follow FF within the pixels: restarts too


class MjpegDevice:
    """An answer of the type multipart/x-mixed-replace; `stall_s` is how long a read waits."""

    fps: float | None = None

    def __init__(self, name: str, answer: Any, want_color: bool, stall_s: float) -> None:
        self.name = name
        self._answer = answer
        self._want_color = want_color
        self._stall = stall_s
        self._buffer = bytearray()
        socket = getattr(getattr(answer.fp, "raw", None), "_sock", None)
        if socket is not None:
            socket.settimeout(stall_s)

    def read(self) -> CapturedFrame:
        """Wait for the next picture; raises SourceLost after `stall_s` or at the end."""
        for _ in range(BAD_IN_A_ROW):
            data = self._next_jpeg()
            arrived = time.monotonic()  # when it was captured, a stream does not state
            gray, bgr = self._decode(data)
            if gray is not None:
                return CapturedFrame(arrived, gray, bgr)
        raise SourceLost(f"{self.name} sends pictures that cannot be decoded; check the camera.")

    def close(self) -> None:
        """Close the connection."""
        self._answer.close()

    def _next_jpeg(self) -> bytes:
        deadline = time.monotonic() + self._stall
        while True:
            start = self._buffer.find(START)
            if start > 0:
                del self._buffer[:start]
            end = jpeg_end(self._buffer) if start >= 0 else None
            if end is not None:
                data = bytes(self._buffer[:end])
                del self._buffer[:end]
                return data
            if start < 0:
                del self._buffer[: -len(START)]
            if len(self._buffer) > MAX_JPEG_BYTES:
                raise SourceLost(f"{self.name} sends no end of a picture; check the camera.")
            if time.monotonic() > deadline:
                raise self._silent()
            self._fill()

    def _fill(self) -> None:
        try:
            more = self._answer.read1(CHUNK_BYTES)
        except TimeoutError:
            raise self._silent() from None
        except (OSError, HTTPException, ValueError, AttributeError) as error:
            raise SourceLost(f"{self.name} broke off ({error}); check the network.") from error
        if not more:
            raise SourceLost(f"{self.name} ended; check the network and the camera.")
        self._buffer += more

    def _silent(self) -> SourceLost:
        return SourceLost(
            f"{self.name} gave nothing for {self._stall:g} s; check the network and the camera."
        )

    def _decode(self, data: bytes) -> tuple[Pixels | None, Pixels | None]:
        try:
            header = read_header(data)
        except ValueError:
            return None, None
        if header is None or header.width * header.height > MAX_PIXELS:
            return None, None
        raw = np.frombuffer(data, np.uint8)
        if not self._want_color:
            gray = cv2.imdecode(raw, cv2.IMREAD_GRAYSCALE)
            return (None if gray is None else np.asarray(gray, np.uint8)), None
        bgr = cv2.imdecode(raw, cv2.IMREAD_COLOR)
        if bgr is None:
            return None, None
        return np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2GRAY), np.uint8), np.asarray(
            bgr, np.uint8
        )


def jpeg_end(data: bytes | bytearray) -> int | None:
    """Return where a JPEG that begins at byte 0 ends; None where its end is still missing.

    Segments are skipped by their lengths: a thumbnail within has an end of its own.
    """
    at = 2
    while at + 1 < len(data):
        marker = data[at + 1]
        if data[at] != 0xFF:
            at = data.find(b"\xff", at)
            if at < 0:
                return None
        elif marker == END:
            return at + 2
        elif marker == 0xD8:  # another picture begins: this one was cut off
            return at
        elif marker == 0xFF:
            at += 1
        elif marker in STUFFED or marker == 0x01:
            at += 2
        elif at + 4 > len(data):
            return None
        else:
            at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    return None
