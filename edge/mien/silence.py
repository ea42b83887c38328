"""Keeps OpenCV and FFmpeg off stderr: each of their failures gets a sentence of ours."""

from __future__ import annotations

import os

import cv2


def hush() -> None:
    """Silence both, except where OPENCV_LOG_LEVEL or OPENCV_FFMPEG_LOGLEVEL ask for their words."""
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")  # AV_LOG_QUIET, read at the first use
    if "OPENCV_LOG_LEVEL" in os.environ:
        return
    if hasattr(cv2, "setLogLevel"):  # until 4.10 at least; 4.14 has it elsewhere
        cv2.setLogLevel(0)
    else:
        cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
