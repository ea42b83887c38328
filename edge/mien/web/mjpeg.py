"""MJPEG broadcaster: the newest frame, annotated and encoded once for all viewers."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from mien.boxes import Box
from mien.outputs.annotate import annotate
from mien.outputs.anonymize import hide
from mien.pipeline.results import FrameResult
from mien.sources.base import Frame
from mien.sources.pausable import PauseSwitch

MAX_STREAM_FPS = 15  # pictures a second at most: fluid, and half the work of 30
JPEG_QUALITY = 80  # of the JPEG
MAX_WIDTH = 1280  # px; larger pictures are made smaller for the page
BOUNDARY = "mien-picture"


@dataclass(frozen=True)
class LatestFrame:
    """The newest frame with its result."""

    number: int  # counts the frames that were put here
    frame: Frame
    result: FrameResult
    hidden: tuple[Box, ...]


class MjpegBroadcaster:
    """Frames come from the pipeline's thread, viewers live on the server's event loop.

    The pipeline only leaves a reference and, where somebody waits, wakes the loop. A viewer that
    does not read asks for nothing, so that nothing is drawn for it either.
    """

    def __init__(self, pause: PauseSwitch | None = None) -> None:
        self._pause = pause
        self.encoded = 0  # pictures drawn and encoded so far
        self.viewers = 0
        self.closed = False
        self._latest: LatestFrame | None = None
        self._number = 0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._awaited = False  # whether to wake the loop; set there, read by the pipeline
        self._fresh: asyncio.Event | None = None
        self._lock: asyncio.Lock | None = None
        self._jpeg: tuple[int, bytes] = (0, b"")
        self._painted = 0.0  # s of the loop's clock, of the last encoding

    def publish(self, frame: Frame, result: FrameResult, hidden: tuple[Box, ...]) -> None:
        """Publish a frame to the viewers; takes microseconds and never blocks."""
        self._number += 1
        self._latest = LatestFrame(self._number, frame, result, hidden)
        if self._awaited:
            self._awaited = False
            self._wake()

    def close(self) -> None:
        """End every stream."""
        self.closed = True
        self._wake()

    async def attach(self) -> None:
        """Say on which event loop the viewers live; call it there once."""
        self._loop = asyncio.get_running_loop()
        self._fresh, self._lock = asyncio.Event(), asyncio.Lock()

    async def newest(self) -> bytes | None:
        """Return the newest frame as JPEG; None where there is none."""
        latest = self._current()
        return None if latest is None else (await self._encoded(latest))[1]

    async def stream(self) -> AsyncIterator[bytes]:
        """Yield parts of multipart/x-mixed-replace until the server ends."""
        self.viewers += 1
        seen = 0
        try:
            yield f"--{BOUNDARY}\r\n".encode()
            while not self.closed:
                latest = self._current()
                if latest is None or latest.number <= seen:
                    await self._wait(seen)
                    continue
                await self._pace()
                latest = self._current() or latest  # perhaps a newer one came meanwhile
                seen, jpeg = await self._encoded(latest)
                head = f"Content-Type: image/jpeg\r\nContent-Length: {len(jpeg)}\r\n\r\n"
                # A browser shows a picture once it has seen the boundary behind it.
                yield head.encode() + jpeg + f"\r\n--{BOUNDARY}\r\n".encode()
        finally:
            self.viewers -= 1

    def _current(self) -> LatestFrame | None:
        """Return the newest frame; none while the camera is paused, not even the last."""
        return None if self._pause is not None and self._pause.paused else self._latest

    async def _wait(self, seen: int) -> None:
        """Wait for a frame, a second at most."""
        assert self._fresh is not None
        self._fresh.clear()
        self._awaited = True
        if self._number > seen and self._current() is not None:
            return  # it came between the look and the wish
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self._fresh.wait(), 1.0)

    async def _pace(self) -> None:
        """Let the last picture stand for its time."""
        now = asyncio.get_running_loop().time()
        await asyncio.sleep(max(0.0, self._painted + 1 / MAX_STREAM_FPS - now))

    async def _encoded(self, latest: LatestFrame) -> tuple[int, bytes]:
        """Return the number and the JPEG of a frame, or of a newer one that is done."""
        assert self._lock is not None
        async with self._lock:
            if self._jpeg[0] < latest.number:
                loop = asyncio.get_running_loop()
                self._painted = loop.time()
                jpeg = await loop.run_in_executor(None, encode, latest)
                self._jpeg = (latest.number, jpeg)
                self.encoded += 1
            return self._jpeg

    def _wake(self) -> None:
        loop, fresh = self._loop, self._fresh
        if loop is not None and fresh is not None:
            with contextlib.suppress(RuntimeError):  # the loop has ended
                loop.call_soon_threadsafe(fresh.set)


def encode(latest: LatestFrame) -> bytes:
    """Return a frame with its boxes and labels as JPEG; gray where the source gave no colour."""
    frame = latest.frame
    picture: Any = frame.gray if frame.bgr is None else frame.bgr
    if latest.hidden:
        picture = hide(picture, latest.hidden)
    if picture.ndim == 2:
        picture = cv2.cvtColor(picture, cv2.COLOR_GRAY2BGR)
    picture = annotate(np.asarray(picture, np.uint8), latest.result.faces)
    if picture.shape[1] > MAX_WIDTH:
        size = (MAX_WIDTH, round(picture.shape[0] * MAX_WIDTH / picture.shape[1]))
        picture = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    done, data = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    return data.tobytes() if done else b""
