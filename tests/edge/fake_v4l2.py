"""Stand-ins for V4L2: the kernel's QUERYCAP answer and cv2's capture, as real ones behave.

From the kernel's videodev2.h and OpenCV 4.14's cap_v4l.cpp, and what a device of the vivid driver
did: `set` says True whatever happens, after an unplug `isOpened()` stays True and `read()` is
False, a busy device does not open, without CAP_PROP_CONVERT_RGB the camera's own bytes come, and
CAP_PROP_POS_MSEC is the driver's time stamp.
"""

from __future__ import annotations

import struct
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

import cv2
import numpy as np

WHOLE = 0x80000000 | 0x04000000 | 0x00800000 | 0x00000001  # caps of all nodes of a webcam
CAPTURE = 0x04000001
METADATA = 0x04800000
CODEC = 0x04004000  # memory to memory


def querycap(bus: str, own: int, card: str = "A Webcam", driver: str = "uvcvideo") -> bytes:
    """Return the bytes of struct v4l2_capability."""
    names = (driver.encode(), card.encode(), bus.encode())
    return struct.pack("16s32s32s6I", *names, 0x060A00, WHOLE, own, 0, 0, 0)


@dataclass
class Webcam:
    """What a camera can do: rates (frames/s) by size by format, the first is its default."""

    modes: dict[str, dict[tuple[int, int], float]]
    frames: int = 10**9  # until it is unplugged
    busy: bool = False
    broken: set[int] = field(default_factory=set)  # numbers of frames cut short on the cable
    raw_allowed: bool = True  # old OpenCV builds convert always
    stamp: Callable[[], float] = time.monotonic  # s, what the driver stamps a picture with
    interval: float = 0.0  # s from picture to picture


class FakeCapture:
    """cv2.VideoCapture with CAP_V4L2 on a `Webcam`; frame n is 40 * n gray, its left half black."""

    cameras: ClassVar[dict[str, Webcam]] = {}
    opened: ClassVar[list[FakeCapture]] = []

    def __init__(self, path: str, backend: int) -> None:
        assert backend == cv2.CAP_V4L2
        assert isinstance(path, str)  # an index would be another device after the next boot
        self.camera = self.cameras[str(Path(path).resolve())]
        self.fourcc = next(iter(self.camera.modes))
        self.size = next(iter(self.camera.modes[self.fourcc]))
        self.convert = 1.0
        self.read_count = 0
        self.order: list[int] = []
        self.released = False
        self.stamped = 0.0  # ms
        self.opened.append(self)

    def isOpened(self) -> bool:
        return not self.camera.busy

    def set(self, what: int, value: float) -> bool:
        self.order.append(what)
        if what == cv2.CAP_PROP_FOURCC:
            name = int(value).to_bytes(4, "little").decode()
            if name in self.camera.modes:
                self.fourcc = name
                self.size = next(iter(self.camera.modes[name]))
        elif what in (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT):
            sizes = list(self.camera.modes[self.fourcc])
            axis = 0 if what == cv2.CAP_PROP_FRAME_WIDTH else 1
            fitting = [size for size in sizes if size[axis] == value]
            if fitting and self.size not in fitting:
                self.size = fitting[0]
        elif what == cv2.CAP_PROP_CONVERT_RGB and self.camera.raw_allowed:
            self.convert = value
        return True

    def get(self, what: int) -> float:
        return {
            cv2.CAP_PROP_FOURCC: float(cv2.VideoWriter.fourcc(*self.fourcc)),
            cv2.CAP_PROP_FRAME_WIDTH: float(self.size[0]),
            cv2.CAP_PROP_FRAME_HEIGHT: float(self.size[1]),
            cv2.CAP_PROP_FPS: self.camera.modes[self.fourcc][self.size],
            cv2.CAP_PROP_CONVERT_RGB: self.convert,
            cv2.CAP_PROP_POS_MSEC: self.stamped,
        }[what]

    def read(self) -> tuple[bool, np.ndarray | None]:
        time.sleep(self.camera.interval)
        if self.read_count >= self.camera.frames:
            return False, None
        self.stamped = 1e3 * self.camera.stamp()
        number = self.read_count
        self.read_count += 1
        width, height = self.size
        gray = np.full((height, width), 40 * number % 256, np.uint8)
        gray[:, : width // 2] = 0
        bgr = cv2.cvtColor(gray, cv2.COLOR_GRAY2BGR)
        if self.convert:
            return True, bgr
        if self.fourcc == "MJPG":
            file = np.asarray(cv2.imencode(".jpg", bgr)[1]).reshape(1, -1)
            if number in self.camera.broken:
                return True, np.full((1, 500), 255, np.uint8)
            return True, np.hstack([file, np.zeros((1, 700), np.uint8)])  # the buffer is longer
        if self.fourcc == "GREY":
            return True, gray
        gray = np.round(16 + gray * (219 / 255)).astype(np.uint8)  # as vivid's, and as webcams'
        if self.fourcc in ("NV12", "YU12"):
            return True, np.vstack([gray, np.full((height // 2, width), 128, np.uint8)])
        chroma = np.full_like(gray, 128)
        pair = (chroma, gray) if self.fourcc == "UYVY" else (gray, chroma)
        return True, np.dstack(pair)

    def release(self) -> None:
        self.released = True


def plug(dev: Path, nodes: dict[str, bytes]) -> None:
    """Make device nodes in a folder: ordinary files whose content is the QUERYCAP answer."""
    for name, answer in nodes.items():
        (dev / name).write_bytes(answer)


def answer(path: Path) -> bytes:
    """Stand in for the ioctl: OSError where there is no answer, as for what is no video device."""
    content = path.read_bytes()
    if not content:
        raise OSError(25, "Inappropriate ioctl for device")
    return content
