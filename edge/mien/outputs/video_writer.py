"""Video encoders: H.264 by PyAV where it is installed, else MPEG-4 part 2 by OpenCV.

Both write Matroska, which plays as far as it is written; an MP4 has its index at the end, so it is
made from the Matroska file when that is complete. AVI is Motion JPEG by OpenCV.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any, Protocol

import cv2
import numpy as np

from mien.console import progress
from mien.log import silence_native_logs
from mien.sources.base import Pixels
from mien.sources.video import native_name

SUFFIXES = (".mp4", ".m4v", ".mov", ".mkv", ".avi")
MATROSKA = ".mkv"
ENCODERS = ("libx264", "h264_v4l2m2m", "libopenh264")  # of H.264, the first that there is
# Fast enough for a Pi beside the classifier; every frame goes out at once.
ENCODER_OPTIONS = {"preset": "ultrafast", "tune": "zerolatency", "crf": "23"}
KEY_INTERVAL_S = 2.0  # s between two frames from which a player can start


class VideoWriter(Protocol):
    """An encoder and its file."""

    def write(self, picture: Pixels) -> None:
        """Add a picture, uint8 [H, W, 3] blue first; may raise OSError."""
        ...

    def close(self) -> None:
        """Complete the file; may raise OSError."""
        ...


def part_suffix(path: Path) -> str:
    """Return the suffix of the file that is written until a video is complete."""
    return ".avi" if path.suffix.lower() == ".avi" else MATROSKA


def open_writer(part: Path, fps: float, size: tuple[int, int]) -> VideoWriter | None:
    """Open a file for frames of a width and height in px; None where it cannot be written."""
    silence_native_logs()
    if part.suffix == MATROSKA:
        writer = _open_h264(part, fps, size)
        if writer is not None:
            return writer
    codec = "MJPG" if part.suffix == ".avi" else "mp4v"
    with native_name(part) as name:
        made = cv2.VideoWriter(name, cv2.CAP_FFMPEG, cv2.VideoWriter.fourcc(*codec), fps, size)
    return _OpenCvWriter(made) if made.isOpened() else None


class _OpenCvWriter:
    def __init__(self, writer: cv2.VideoWriter) -> None:
        self._writer = writer

    def write(self, picture: Pixels) -> None:
        self._writer.write(picture)

    def close(self) -> None:
        self._writer.release()


class _H264Writer:
    def __init__(self, av: Any, part: Path, fps: float, size: tuple[int, int], codec: str) -> None:
        self._av = av
        self._count = 0
        options = {"flush_packets": "1", "cluster_time_limit": "200"}
        with contextlib.ExitStack() as names:
            # PyAV opens the file with the first frame: the name is good as long as the writer.
            name = names.enter_context(native_name(part))
            self._file = av.open(name, "w", format="matroska", options=options)
            self._names = names.pop_all()
        try:
            self._stream = self._file.add_stream(
                codec, rate=_rate(fps), options=ENCODER_OPTIONS if codec == "libx264" else {}
            )
            self._stream.width, self._stream.height = size
            self._stream.pix_fmt = "yuv420p"
            self._stream.gop_size = max(1, round(KEY_INTERVAL_S * fps))
            self._stream.codec_context.thread_count = 1
            self._stream.codec_context.open()
        except Exception:
            self._close()
            raise

    def write(self, picture: Pixels) -> None:
        frame = self._av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="bgr24")
        frame.pts = self._count
        self._count += 1
        with _os_errors(self._av):
            for packet in self._stream.encode(frame):
                self._file.mux(packet)

    def close(self) -> None:
        try:
            with _os_errors(self._av):
                for packet in self._stream.encode():
                    self._file.mux(packet)
        finally:
            self._close()

    def _close(self) -> None:
        with self._names, _os_errors(self._av):
            self._file.close()


@contextlib.contextmanager
def _os_errors(av: Any) -> Iterator[None]:
    """Raise all of FFmpeg's errors as OSError, as most of PyAV's are."""
    try:
        yield
    except av.FFmpegError as error:
        raise OSError(error.errno, error.strerror) from error


def _open_h264(part: Path, fps: float, size: tuple[int, int]) -> VideoWriter | None:
    try:
        import av
    except ImportError:
        return None
    for codec in ENCODERS:
        try:
            with _os_errors(av):
                return _H264Writer(av, part, fps, size, codec)
        except (OSError, ValueError):  # no such encoder, or none for this size: the next
            continue
    return None


def remux(part: Path, target: Path, fps: float, frames: int) -> None:
    """Write the frames of a Matroska file to an MP4; may raise OSError.

    PyAV copies them as they are encoded. Without it OpenCV encodes them anew, which takes some
    milliseconds a frame.
    """
    with native_name(part) as source, native_name(target) as made:
        try:
            import av
        except ImportError:
            _reencode(source, made, fps, frames)
            return
        rate = _rate(fps)
        options = {"movflags": "faststart"}
        with (
            _os_errors(av),
            av.open(source) as given,
            av.open(made, "w", options=options) as out,
        ):
            stream = out.add_stream_from_template(given.streams.video[0])
            for index, packet in enumerate(given.demux(given.streams.video[0])):
                if packet.size:
                    # Matroska rounds times to milliseconds.
                    packet.stream, packet.time_base = stream, 1 / rate
                    packet.pts = packet.dts = index
                    packet.duration = 1
                    out.mux(packet)


def _reencode(source: str, made: str, fps: float, frames: int) -> None:
    given = cv2.VideoCapture(source, cv2.CAP_FFMPEG)
    size = tuple(int(given.get(side)) for side in (cv2.CAP_PROP_FRAME_WIDTH, 4))
    codec = cv2.VideoWriter.fourcc(*"mp4v")
    out = cv2.VideoWriter(made, cv2.CAP_FFMPEG, codec, fps, size)
    for _ in progress(range(frames), frames, "frames"):
        more, picture = given.read()
        if not more:
            break
        out.write(picture)
    out.release()
    given.release()


def count_frames(path: Path) -> int:
    """Return how many frames are in a file, without decoding them; 0 where it does not play."""
    silence_native_logs()
    with native_name(path) as name:
        whole = cv2.VideoCapture(name, cv2.CAP_FFMPEG)
        plays = whole.isOpened() and whole.read()[0]
        whole.release()
        if not plays:
            return 0
        packets = cv2.VideoCapture(name, cv2.CAP_FFMPEG, [cv2.CAP_PROP_FORMAT, -1])
        count = 0
        while packets.grab():
            count += 1
        packets.release()
    return count


def _rate(fps: float) -> Fraction:
    return Fraction(fps).limit_denominator(1001)
