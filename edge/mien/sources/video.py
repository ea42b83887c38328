"""A video file, every frame of it, in order."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np

from mien.errors import UserError
from mien.log import silence_native_logs
from mien.sources.base import Frame, Say, usable_fps

WITHOUT_RATE = 25.0  # frames/s assumed where a file neither says its rate nor its frames' times


class VideoSource:
    """The frames of an opened video. Takes the capture over."""

    live = False
    dropped = 0

    def __init__(self, name: str, capture: cv2.VideoCapture, want_color: bool, say: Say) -> None:
        self.name = name
        self.fps = usable_fps(capture.get(cv2.CAP_PROP_FPS))
        self.total = frame_count(capture)
        self._capture = capture
        self._want_color = want_color
        self._say = say

    def frames(self) -> Iterator[Frame]:
        """Yield every frame; its time is the file's own (s), never going back.

        Raises UserError where not one frame can be read.
        """
        index, time = 0, 0.0
        while True:
            more, bgr = self._capture.read()
            if not more:
                break
            picture = np.asarray(bgr, np.uint8)
            time = self._time(index, time)
            gray = np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY), np.uint8)
            yield Frame(index, time, gray, picture if self._want_color else None)
            index += 1
        if index == 0:
            raise UserError(f"{self.name} holds no frame that can be read; try another file.")
        # Containers round their frame counts, so that a frame or two less means nothing.
        if self.total is not None and index < self.total * 0.95 - 2:
            self._say(
                f"{self.name} breaks off: {index} of its {self.total} frames could be read, "
                "and they were."
            )

    def close(self) -> None:
        """Close the file."""
        self._capture.release()

    def _time(self, index: int, last: float) -> float:
        if index == 0:
            return 0.0
        time = self._capture.get(cv2.CAP_PROP_POS_MSEC) / 1e3
        return time if time > last else last + 1 / (self.fps or WITHOUT_RATE)


def open_video(path: Path, want_color: bool, say: Say) -> VideoSource:
    """Open a video file; raises UserError with what is wrong with it."""
    if not os.access(path, os.R_OK):
        raise UserError(f"{path} may not be read by this user; change its permissions.")
    if path.is_file() and path.stat().st_size == 0:
        raise UserError(f"{path} is empty; copy or record it again.")
    capture = open_capture(str(path))
    # FFmpeg renders a text file as a film of its letters ("ansi").
    if not capture.isOpened() or _codec(capture) == b"ansi":
        capture.release()
        raise UserError(
            f"{path} cannot be read as a video: it is none, or it is cut off; "
            "check that another player shows it."
        )
    return VideoSource(str(path), capture, want_color, say)


def open_capture(place: str, options: Sequence[int] = ()) -> cv2.VideoCapture:
    """Open a file or address with FFmpeg; the caller asks `isOpened()`.

    `options` are OpenCV's pairs of property and value for the opening itself. Set
    OPENCV_FFMPEG_LOGLEVEL in the environment to see FFmpeg's own messages.
    """
    silence_native_logs()
    capture = cv2.VideoCapture(place, cv2.CAP_FFMPEG, list(options))
    capture.set(cv2.CAP_PROP_ORIENTATION_AUTO, 1)
    return capture


def frame_count(capture: cv2.VideoCapture) -> int | None:
    """Return how many frames a capture says it has; None for a stream, which has no end."""
    count = capture.get(cv2.CAP_PROP_FRAME_COUNT)
    return int(count) if 0 < count < 1e9 else None


def _codec(capture: cv2.VideoCapture) -> bytes:
    return (int(capture.get(cv2.CAP_PROP_FOURCC)) & 0xFFFFFFFF).to_bytes(4, "little")
