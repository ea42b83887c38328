"""Small real videos for the tests, written by OpenCV."""

from __future__ import annotations

import struct
from pathlib import Path

import cv2
import numpy as np


def write_clip(
    path: Path, frames: int = 12, size: tuple[int, int] = (160, 120), fps: float = 25.0
) -> Path:
    """Write frames whose gray value is 16 + 8 times their number; the left half is black."""
    codec = cv2.VideoWriter.fourcc(*("MJPG" if path.suffix == ".avi" else "mp4v"))
    writer = cv2.VideoWriter(str(path), codec, fps, size)
    assert writer.isOpened()
    for number in range(frames):
        picture = np.full((size[1], size[0], 3), 16 + 8 * number % 240, np.uint8)
        picture[:, : size[0] // 2] = 0
        writer.write(picture)
    writer.release()
    return path


def turn_clip(path: Path) -> None:
    """Say in an mp4's track header that it is to be shown turned by 90 degrees, as phones do."""
    data = bytearray(path.read_bytes())
    matrix = data.index(b"tkhd") + 44
    width = struct.unpack_from(">I", data, matrix + 36)[0]
    struct.pack_into(">9i", data, matrix, 0, 65536, 0, -65536, 0, 0, width, 0, 1 << 30)
    path.write_bytes(data)


def read_clip(path: Path) -> tuple[list[np.ndarray], float]:
    """Return the frames and the rate of a video."""
    capture = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG)
    frames = []
    while True:
        more, frame = capture.read()
        if not more:
            break
        frames.append(frame)
    fps = capture.get(cv2.CAP_PROP_FPS)
    capture.release()
    return frames, fps
