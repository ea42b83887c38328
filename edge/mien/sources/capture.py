"""Opens OpenCV's videos and streams without the lines that FFmpeg would print beside ours."""

from __future__ import annotations

from collections.abc import Sequence

import cv2

from mien.silence import hush


def open_capture(place: str, options: Sequence[int] = ()) -> cv2.VideoCapture:
    """Open a file or address with FFmpeg; the caller asks `isOpened()`.

    `options` are OpenCV's pairs of property and value for the opening itself. Set
    OPENCV_FFMPEG_LOGLEVEL in the environment to see FFmpeg's own messages.
    """
    hush()
    capture = cv2.VideoCapture(place, cv2.CAP_FFMPEG, list(options))
    capture.set(cv2.CAP_PROP_ORIENTATION_AUTO, 1)
    return capture
