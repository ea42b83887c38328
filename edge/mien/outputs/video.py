"""An annotated video file."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from mien.atomic import commit, temp_path
from mien.errors import UserError
from mien.log import silence_native_logs
from mien.sources.base import Pixels

# MPEG-4 part 2: in every build of OpenCV, unlike H.264, and cheap enough for a Pi.
CODECS = {".mp4": "mp4v", ".m4v": "mp4v", ".mov": "mp4v", ".mkv": "mp4v", ".avi": "MJPG"}
LONGEST_GAP_S = 2.0  # s that one picture may stand still for frames that a live source dropped


class VideoOutput:
    """A video at a constant rate, in the size of its first picture.

    It appears under its name when it is closed. For a live source (`follow_time`) pictures are
    repeated or left out so that it plays at the speed at which things happened.
    """

    def __init__(self, path: Path, fps: float, follow_time: bool) -> None:
        check_suffix(path)
        self._path = path.resolve()  # a link stays one
        self._part = temp_path(self._path)
        self._fps = fps
        self._follow_time = follow_time
        self._writer: cv2.VideoWriter | None = None
        self._size = (0, 0)
        self._last: Pixels | None = None
        self._written = 0  # pictures
        self._left_out = 0  # pictures, of longer gaps

    def write(self, picture: Pixels, time: float) -> None:
        """Add a picture, uint8 [H, W, 3] blue first, that was taken at a time in seconds."""
        if self._writer is None:
            self._writer = self._open(picture)
        fitted = letterbox(picture, self._size)
        if self._follow_time and self._last is not None:
            due = round(time * self._fps) + 1 - self._left_out - self._written
            if due < 1:
                return  # the camera is faster than the video
            still = min(due, max(1, round(LONGEST_GAP_S * self._fps))) - 1
            self._left_out += due - 1 - still
            for _ in range(still):
                self._writer.write(self._last)
            self._written += still
        self._writer.write(fitted)
        self._written += 1
        self._last = fitted

    def close(self) -> None:
        """Complete the file, check that it plays and put it in its place."""
        if self._writer is None:
            return
        self._writer.release()
        # The writer never reports an error: a full disk only shows in the file.
        check = cv2.VideoCapture(str(self._part))
        playable = check.isOpened() and check.read()[0]
        check.release()
        if not playable:
            self._part.unlink(missing_ok=True)
            raise UserError(f"{self._path} could not be completed; is the disk full?")
        commit(self._part, self._path)

    def _open(self, picture: Pixels) -> cv2.VideoWriter:
        silence_native_logs()
        height, width = picture.shape[:2]
        # The codec halves the colour's resolution: even sides only.
        self._size = (max(2, width - width % 2), max(2, height - height % 2))
        codec = cv2.VideoWriter.fourcc(*CODECS[self._path.suffix.lower()])
        writer = cv2.VideoWriter(str(self._part), codec, self._fps, self._size)
        if not writer.isOpened():
            raise UserError(
                f"{self._path} cannot be written as a video of {width}x{height}; "
                "name another place, or a name that ends in .avi."
            )
        return writer


def check_suffix(path: Path) -> None:
    """Raise UserError where the name of a video does not say a kind that can be written."""
    if path.suffix.lower() not in CODECS:
        raise UserError(f"{path} does not say which kind of video; let it end in .mp4.")


def letterbox(picture: Pixels, size: tuple[int, int]) -> Pixels:
    """Fit a picture, uint8 [H, W, 3], into a width and height (px), its shape kept, on black."""
    width, height = size
    if picture.shape[:2] == (height, width):
        return picture
    scale = min(width / picture.shape[1], height / picture.shape[0])
    w = min(width, max(1, round(picture.shape[1] * scale)))
    h = min(height, max(1, round(picture.shape[0] * scale)))
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    canvas = np.zeros((height, width, 3), np.uint8)
    top, left = (height - h) // 2, (width - w) // 2
    canvas[top : top + h, left : left + w] = cv2.resize(picture, (w, h), interpolation=method)
    return canvas
