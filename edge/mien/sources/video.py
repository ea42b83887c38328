"""A video file, every frame of it that can be read, in order."""

from __future__ import annotations

import contextlib
import os
import re
import ssl
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np

from mien.errors import UserError
from mien.log import silence_native_logs
from mien.sources.base import Frame, Pixels, Say, usable_fps
from mien.sources.h264 import is_annex_b, stream_rate

DEFAULT_FPS = 25.0  # frames/s assumed where a file states neither its rate nor its frames' times
# Reads that fail one after the other before it is the end: OpenCV's `read` also fails on each
# frame of a damaged stretch, and after 4,096 packets of sound between two frames.
MAX_FAILED_READS = 1000
MAX_PIXEL_RATIO = 8.0  # of a pixel's sides; beyond, the file is not believed
MAX_FRAME_PIXELS = 100_000_000
FFMPEG_OPTIONS = "OPENCV_FFMPEG_CAPTURE_OPTIONS"


class VideoSource:
    """The frames of an opened video. Takes the capture over.

    `input_fps` is the rate in frames/s at which its frames are timed, instead of their own times.
    """

    live = False
    dropped = 0

    def __init__(
        self,
        name: str,
        capture: cv2.VideoCapture,
        want_color: bool,
        say: Say,
        input_fps: float | None = None,
    ) -> None:
        self.name = name
        self.fps = input_fps or usable_fps(capture.get(cv2.CAP_PROP_FPS))
        self.total = frame_count(capture)
        self._input_fps = input_fps
        self._capture = capture
        self._want_color = want_color
        self._say = say
        self._length = 0.0  # s, 0 where it is unknown
        self._longest = 0.0  # s between two frames
        if self.total is not None and (stated := capture.get(cv2.CAP_PROP_FPS)) > 0:
            self._length = self.total / stated

    def frames(self) -> Iterator[Frame]:
        """Yield every frame; its time is the file's own (s), never going back.

        Damaged stretches are passed over, and said at the end. Raises UserError where not one
        frame can be read.
        """
        index, time, lost = 0, 0.0, 0
        while True:
            bgr, failed = self._next()
            if bgr is None:
                break
            if failed and index:
                lost += failed
            before, time = time, self._time(index, time)
            self._longest = max(self._longest, time - before)
            picture = squared(bgr, self._capture)
            gray = np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY), np.uint8)
            yield Frame(index, time, gray, picture if self._want_color else None)
            index += 1
        if index == 0:
            raise UserError(f"{self.name} holds no frame that can be read; try another file.")
        self._report(index, time, lost)

    def close(self) -> None:
        """Close the file."""
        self._capture.release()

    def _next(self) -> tuple[Pixels | None, int]:
        """Return the next frame and how many reads failed before it; None at the end."""
        for failed in range(MAX_FAILED_READS):
            more, bgr = self._capture.read()
            if more and bgr is not None:
                return np.asarray(bgr, np.uint8), failed
        return None, MAX_FAILED_READS

    def _time(self, index: int, last: float) -> float:
        if index == 0:
            return 0.0
        if self._input_fps:
            return index / self._input_fps
        time = self._capture.get(cv2.CAP_PROP_POS_MSEC) / 1e3
        return time if time > last else last + 1 / (self.fps or DEFAULT_FPS)

    def _report(self, frames: int, time: float, lost: int) -> None:
        # Between frames far apart reads fail by the thousands of sound's packets, and nothing is
        # lost; a count that a container estimates from its rate is no evidence either.
        missing = max(0, (self.total or 0) - frames)
        if lost and missing:
            self._say(
                f"{self.name} is damaged: {min(lost, missing)} of its {self.total} frames could "
                "not be read and are left out."
            )
        # The rate of a file may be estimated, its length is not: the last frame comes near it, as
        # near as frames stand to one another.
        elif not self._input_fps and time + 3 * self._longest < 0.95 * self._length:
            self._say(
                f"{self.name} breaks off after {time:.1f} of its {self._length:.1f} s: {frames} "
                "frames could be read, and they were."
            )


def open_video(
    path: Path, want_color: bool, say: Say, input_fps: float | None = None
) -> VideoSource:
    """Open a video file; raises UserError with what is wrong with it."""
    if not os.access(path, os.R_OK):
        raise UserError(f"Permission denied: {path}; change its permissions.")
    if path.is_file() and path.stat().st_size == 0:
        raise UserError(f"{path} is empty; copy or record it again.")
    with native_name(path) as name:
        capture = open_capture(name)
    # FFmpeg renders a text file as a film of its letters ("ansi").
    if not capture.isOpened() or _codec(capture) == b"ansi":
        capture.release()
        raise UserError(
            f"{path} cannot be read as a video: it is another kind of file, or incomplete; "
            "check that another player shows it."
        )
    if input_fps is None and is_annex_b(path):
        # Raw H.264 has no container that states times; FFmpeg takes 25 frames/s.
        input_fps = stream_rate(path)
        if input_fps is None:
            say(f"{path} does not state its rate; it is timed at 25 frames/s, give --input-fps.")
            input_fps = DEFAULT_FPS
    return VideoSource(str(path), capture, want_color, say, input_fps)


@contextlib.contextmanager
def native_name(path: Path) -> Iterator[str]:
    """Yield a name of a file, or of one to be written, that OpenCV and FFmpeg take as such.

    FFmpeg takes a relative name with a colon for a protocol (`12:30:00.mp4`), so it is made
    absolute. OpenCV ends the process on a name that is not UTF-8; such a one is reached through a
    link in a folder of its own, to the file or, where it does not exist, to its folder.
    """
    absolute = os.path.abspath(path)  # noqa: PTH100 - `resolve` would follow links
    try:
        absolute.encode("utf-8")
    except UnicodeEncodeError:
        pass
    else:
        yield absolute
        return
    with tempfile.TemporaryDirectory(prefix="mien-") as folder:
        link = Path(folder) / "link"
        suffix = path.suffix if path.suffix.isascii() else ""
        if path.exists():
            link = link.with_suffix(suffix)
            link.symlink_to(absolute)
            yield str(link)
        else:
            link.symlink_to(os.path.dirname(absolute))  # noqa: PTH120
            yield str(link / path.name)


def open_capture(
    place: str, options: Sequence[int] = (), insecure: bool = False
) -> cv2.VideoCapture:
    """Open an absolute file name or an address with FFmpeg; the caller asks `isOpened()`.

    `options` are OpenCV's pairs of property and value for the opening itself; `insecure` accepts
    any certificate. Set OPENCV_FFMPEG_LOGLEVEL in the environment to see FFmpeg's own messages.
    """
    silence_native_logs()
    with _tls_options(place, insecure):
        capture = cv2.VideoCapture(place, cv2.CAP_FFMPEG, list(options))
    capture.set(cv2.CAP_PROP_ORIENTATION_AUTO, 1)
    return capture


@contextlib.contextmanager
def _tls_options(place: str, insecure: bool) -> Iterator[None]:
    """Have FFmpeg check certificates, which it does not by itself."""
    authorities = ssl.get_default_verify_paths()
    before = os.environ.get(FFMPEG_OPTIONS)
    if insecure or not re.match("(https|rtsps):", place):
        yield
        return
    # Where the variable is unset OpenCV asks for RTSP over TCP.
    wanted = [before or "rtsp_transport;tcp", "tls_verify;1"]
    if authorities.cafile:
        wanted.append(f"ca_file;{authorities.cafile}")
    os.environ[FFMPEG_OPTIONS] = "|".join(wanted)
    try:
        yield
    finally:
        if before is None:
            del os.environ[FFMPEG_OPTIONS]
        else:
            os.environ[FFMPEG_OPTIONS] = before


def squared(picture: Pixels, capture: cv2.VideoCapture) -> Pixels:
    """Return a frame with square pixels: stretched along the side on which they are longer."""
    across = capture.get(cv2.CAP_PROP_SAR_NUM)
    down = capture.get(cv2.CAP_PROP_SAR_DEN)
    ratio = across / down if across > 0 and down > 0 else 1.0
    if ratio == 1.0 or not 1 / MAX_PIXEL_RATIO <= ratio <= MAX_PIXEL_RATIO:
        return picture
    if round(capture.get(cv2.CAP_PROP_ORIENTATION_META)) % 180 == 90:
        ratio = 1 / ratio  # the frame has been turned, its pixels' ratio not
    height, width = picture.shape[:2]
    size = (round(width * ratio), height) if ratio > 1 else (width, round(height / ratio))
    if size[0] * size[1] > MAX_FRAME_PIXELS:
        return picture
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_LINEAR), np.uint8)


def frame_count(capture: cv2.VideoCapture) -> int | None:
    """Return how many frames a capture says it has; None for a stream, which has no end."""
    count = capture.get(cv2.CAP_PROP_FRAME_COUNT)
    return int(count) if 0 < count < 1e9 else None


def _codec(capture: cv2.VideoCapture) -> bytes:
    return (int(capture.get(cv2.CAP_PROP_FOURCC)) & 0xFFFFFFFF).to_bytes(4, "little")
