"""Opens OpenCV's videos and streams without the lines that FFmpeg would print beside ours."""

from __future__ import annotations

import os
from collections.abc import Sequence

import cv2


def open_capture(place: str, options: Sequence[int] = ()) -> cv2.VideoCapture:
    """Open a file or address with FFmpeg; the caller asks `isOpened()`.

    `options` are OpenCV's pairs of property and value for the opening itself. Set
    OPENCV_FFMPEG_LOGLEVEL in the environment to see FFmpeg's own messages.
    """
    hush()
    capture = cv2.VideoCapture(place, cv2.CAP_FFMPEG, list(options))
    capture.set(cv2.CAP_PROP_ORIENTATION_AUTO, 1)
    return capture


def hush() -> None:
    """Keep OpenCV and FFmpeg from writing to stderr; each failure gets a sentence of ours."""
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")  # AV_LOG_QUIET, read at the first use
    if "OPENCV_LOG_LEVEL" not in os.environ:
        cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
