"""Asks Linux which video devices there are and what they are (the V4L2 QUERYCAP call)."""

from __future__ import annotations

import os
import struct
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


@dataclass(frozen=True)
class Node:
    """One /dev/videoN."""

    path: Path
    driver: str  # "uvcvideo" of a webcam, "unicam" or "rp1-cfe" of a Pi camera's raw side
    card: str  # the camera's name
    bus: str  # "usb-..." of a USB camera; the same for all nodes of one
    captures: bool  # gives pictures: not metadata, not an encoder


def ask(path: Path) -> bytes:
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
    driver, card, bus, _, whole, own = CAPABILITY.unpack(ask(path))
    # A webcam's metadata node carries the webcam's capabilities too: only `own` tells them apart.
    capabilities = own if whole & DEVICE_CAPS else whole
    return Node(
        path,
        _text(driver),
        _text(card),
        _text(bus),
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


def _text(field: bytes) -> str:
    return field.partition(b"\0")[0].decode("utf-8", "replace")
