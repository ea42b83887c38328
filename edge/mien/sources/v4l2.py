"""Asks Linux which video devices there are and what they are (the V4L2 QUERYCAP call)."""

from __future__ import annotations

import os
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from mien.sources.images import natural

DEV = Path("/dev")
# From linux/videodev2.h.
QUERYCAP = 0x80685600  # _IOR('V', 0, struct v4l2_capability)
CAPABILITY = struct.Struct("16s32s32s3I12x")  # driver, card, bus, version, whole device, this node
VIDEO_CAPTURE = 0x00000001
VIDEO_CAPTURE_MPLANE = 0x00001000
DEVICE_CAPS = 0x80000000  # the last field is filled in: kernels since 3.4
# Each of these is asked with rising index until the driver says EINVAL.
ENUM_FMT = 0xC0405602  # struct v4l2_fmtdesc
FORMAT = struct.Struct("3I32sII12x")
ENUM_FRAMESIZES = 0xC02C564A  # struct v4l2_frmsizeenum
SIZE = struct.Struct("3I6I8x")
ENUM_FRAMEINTERVALS = 0xC034564B  # struct v4l2_frmivalenum
INTERVAL = struct.Struct("5I6I8x")
CAPTURE = 1  # V4L2_BUF_TYPE_VIDEO_CAPTURE
DISCRETE = 1  # one size or interval; else a range
MAX_ENTRIES = 64  # entries of one kind asked for; a driver that never says EINVAL must not hold us

Ioctl = Callable[[int, int, bytearray], object]


@dataclass(frozen=True)
class Node:
    """One /dev/videoN."""

    path: Path
    driver: str  # "uvcvideo" of a webcam, "unicam" or "rp1-cfe" of a Pi camera's raw side
    card: str  # the camera's name
    bus: str  # "usb-..." of a USB camera; the same for all nodes of one
    captures: bool  # gives pictures: not metadata, not an encoder


def query_capabilities(path: Path) -> bytes:
    """Return the struct v4l2_capability of a device node; raises OSError."""
    import fcntl  # here, so that the module imports on systems that have none

    buffer = bytearray(CAPABILITY.size)
    descriptor = os.open(path, os.O_RDWR | os.O_NONBLOCK)
    try:
        fcntl.ioctl(descriptor, QUERYCAP, buffer)
    finally:
        os.close(descriptor)
    return bytes(buffer)


def node(path: Path) -> Node:
    """Return what a device node is; raises OSError where it is no video device."""
    driver, card, bus, _, whole, own = CAPABILITY.unpack(query_capabilities(path))
    # A webcam's metadata node carries the webcam's capabilities too: only `own` tells them apart.
    capabilities = own if whole & DEVICE_CAPS else whole
    return Node(
        path,
        _c_string(driver),
        _c_string(card),
        _c_string(bus),
        bool(capabilities & (VIDEO_CAPTURE | VIDEO_CAPTURE_MPLANE)),
    )


def usb_cameras() -> list[Node]:
    """Return the USB cameras in the order of their numbers, one node of each."""
    cameras: dict[str, Node] = {}
    for path in sorted(DEV.glob("video[0-9]*"), key=natural):
        try:
            found = node(path)
        except OSError:
            continue
        if found.captures and found.bus.startswith("usb-"):
            cameras.setdefault(found.bus, found)
    return list(cameras.values())


def link_to(path: Path) -> Path | None:
    """Return udev's name for a device, which stays when its number changes; None without udev.

    A name under /dev/v4l is returned as it is.
    """
    if path.is_relative_to(DEV / "v4l"):
        return path
    real = path.resolve()
    for link in sorted((DEV / "v4l" / "by-id").glob("*")):
        if link.resolve() == real:
            return link
    return None


def find_again(camera: Node, link: Path | None) -> Path | None:
    """Return where a camera is now that was unplugged, None where it is not there.

    Its link says so if it has one. Else it is the camera of the same name at the same plug.
    """
    if link is not None and link.exists():
        return link
    for path in sorted(DEV.glob("video[0-9]*"), key=natural):
        try:
            found = node(path)
        except OSError:
            continue
        if found.captures and (found.bus, found.card) == (camera.bus, camera.card):
            return path
    return None


def _c_string(field: bytes) -> str:
    return field.partition(b"\0")[0].decode("utf-8", "replace")


@dataclass(frozen=True)
class VideoMode:
    """One format and size."""

    fourcc: str
    width: int  # px; of a range the largest
    height: int  # px
    fps: float | None  # the highest; None where the driver does not say


def video_modes(path: Path, ioctl: Ioctl | None = None) -> list[VideoMode]:
    """Return what a camera offers; raises OSError where the device does not open."""
    if ioctl is None:
        import fcntl

        ioctl = fcntl.ioctl
    descriptor = os.open(path, os.O_RDWR | os.O_NONBLOCK)
    try:
        return list(_modes(descriptor, ioctl))
    finally:
        os.close(descriptor)


def describe_modes(found: list[VideoMode]) -> str:
    """Return modes in a few words: the largest size of each format and its rate."""
    best: dict[str, VideoMode] = {}
    for mode in found:
        kept = best.setdefault(mode.fourcc, mode)
        if mode.width * mode.height > kept.width * kept.height:
            best[mode.fourcc] = mode
    return ", ".join(
        f"{mode.fourcc} up to {mode.width}x{mode.height}"
        + (f" at {mode.fps:g}/s" if mode.fps else "")
        for mode in best.values()
    )


def _modes(descriptor: int, ioctl: Ioctl) -> Iterator[VideoMode]:
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
            yield VideoMode(fourcc, width, height, round(max(rates), 2) if rates else None)
            if size[2] != DISCRETE:
                break


def _asked(
    descriptor: int, ioctl: Ioctl, request: int, layout: struct.Struct, *key: int
) -> Iterator[tuple[int, ...]]:
    """Yield the entries of one kind; `key` are the fields after the index."""
    for index in range(MAX_ENTRIES):
        buffer = bytearray(struct.pack(f"{1 + len(key)}I", index, *key).ljust(layout.size, b"\0"))
        try:
            ioctl(descriptor, request, buffer)
        except OSError:
            return
        yield layout.unpack(buffer)
