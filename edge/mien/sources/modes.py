"""Asks a V4L2 camera for its modes: formats, sizes and frame rates."""

from __future__ import annotations

import os
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

# From linux/videodev2.h; each is asked with rising index until the driver says EINVAL.
ENUM_FMT = 0xC0405602  # struct v4l2_fmtdesc
FORMAT = struct.Struct("3I32sII12x")
ENUM_FRAMESIZES = 0xC02C564A  # struct v4l2_frmsizeenum
SIZE = struct.Struct("3I6I8x")
ENUM_FRAMEINTERVALS = 0xC034564B  # struct v4l2_frmivalenum
INTERVAL = struct.Struct("5I6I8x")
CAPTURE = 1  # V4L2_BUF_TYPE_VIDEO_CAPTURE
DISCRETE = 1  # one size or interval; else a range
MOST = 64  # entries of one kind asked for; a driver that never says EINVAL must not hold us

Ioctl = Callable[[int, int, bytearray], object]


@dataclass(frozen=True)
class Mode:
    """One format and size."""

    fourcc: str
    width: int  # px; of a range the largest
    height: int  # px
    fps: float | None  # the highest; None where the driver does not say


def modes(path: Path, ioctl: Ioctl | None = None) -> list[Mode]:
    """Return what a camera offers; raises OSError where the device does not open."""
    if ioctl is None:
        import fcntl

        ioctl = fcntl.ioctl
    descriptor = os.open(path, os.O_RDWR | os.O_NONBLOCK)
    try:
        return list(_modes(descriptor, ioctl))
    finally:
        os.close(descriptor)


def summary(found: list[Mode]) -> str:
    """Return modes in a few words: the largest size of each format and its rate."""
    best: dict[str, Mode] = {}
    for mode in found:
        kept = best.setdefault(mode.fourcc, mode)
        if mode.width * mode.height > kept.width * kept.height:
            best[mode.fourcc] = mode
    return ", ".join(
        f"{mode.fourcc} up to {mode.width}x{mode.height}"
        + (f" at {mode.fps:g}/s" if mode.fps else "")
        for mode in best.values()
    )


def _modes(descriptor: int, ioctl: Ioctl) -> Iterator[Mode]:
    for entry in _asked(descriptor, ioctl, ENUM_FMT, FORMAT, CAPTURE):
        pixels = entry[4]
        fourcc = (pixels & 0x7FFFFFFF).to_bytes(4, "little").decode("latin-1").strip()
        for size in _asked(descriptor, ioctl, ENUM_FRAMESIZES, SIZE, pixels):
            # Of a range: minimum, maximum and step of the width, then of the height.
            width, height = size[3:5] if size[2] == DISCRETE else (size[4], size[7])
            rates = [
                interval[6] / interval[5]
                for interval in _asked(
                    *(descriptor, ioctl, ENUM_FRAMEINTERVALS, INTERVAL), pixels, width, height
                )
                if interval[5]
            ]
            yield Mode(fourcc, width, height, round(max(rates), 2) if rates else None)
            if size[2] != DISCRETE:
                break


def _asked(
    descriptor: int, ioctl: Ioctl, request: int, layout: struct.Struct, *key: int
) -> Iterator[tuple[int, ...]]:
    """Yield the entries of one kind; `key` are the fields after the index."""
    for index in range(MOST):
        buffer = bytearray(struct.pack(f"{1 + len(key)}I", index, *key).ljust(layout.size, b"\0"))
        try:
            ioctl(descriptor, request, buffer)
        except OSError:
            return
        yield layout.unpack(buffer)
