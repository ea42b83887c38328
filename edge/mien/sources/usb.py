"""A USB camera, or any other V4L2 device, through OpenCV."""

from __future__ import annotations

import os
import time
from pathlib import Path

import cv2
import numpy as np

from mien.errors import UserError
from mien.log import silence_native_logs
from mien.sources import v4l2
from mien.sources.base import CameraConfig, CapturedFrame, Pixels, Say, SourceLost, usable_fps
from mien.sources.device_users import processes_using_path
from mien.sources.frame_grabber import open_interruptible
from mien.sources.live import LiveSource

BAD_IN_A_ROW = 30  # pictures that cannot be decoded before the camera counts as lost
OLDEST_S = 1.0  # a driver's time stamp further in the past is of another clock than ours
PI_CAMERA_DRIVERS = ("unicam", "rp1-cfe")
# Where the gray values stand in a raw picture: which channel of a packed one.
PACKED = {"YUYV": 0, "YUY2": 0, "YVYU": 0, "UYVY": 1, "VYUY": 1}
PLANAR = ("NV12", "NV21", "YU12", "YV12", "I420")  # the first H rows
JPEGS = ("MJPG", "JPEG")
# Both kinds hold "studio" gray, 16 to 235 (ITU-R BT.601). OpenCV's BGR has it stretched to 0 to
# 255, as training pictures are; without this a face would read otherwise with --video than without.
FULL_RANGE = np.clip(np.round((np.arange(256) - 16) * 255 / 219), 0, 255).astype(np.uint8)


class UsbDevice:
    """An opened V4L2 device, by path.

    Where no colour is wanted it hands over the camera's own bytes and the gray is taken out of
    them: no colours to compute from YUYV, none to decode from MJPG.
    """

    def __init__(self, path: Path, mode: CameraConfig, want_color: bool, say: Say) -> None:
        self.name = str(path)
        if mode.controls:
            raise UserError(
                "Exposure, gain and focus are set by mien on a Pi camera only; for this one leave "
                f"them out and see `v4l2-ctl -d {path} --list-ctrls`."
            )
        silence_native_logs()
        self.capture = cv2.VideoCapture(str(path), cv2.CAP_V4L2)
        if not self.capture.isOpened():
            self.capture.release()
            by = processes_using_path(path)
            if by:
                raise UserError(f"{path} is in use by {by}; end that program.")
            raise UserError(
                f"{path} does not open: another program has it (`sudo fuser -v {path}` shows "
                "which) or it gives no pictures; end that program, or unplug and plug it."
            )
        self._configure(mode)
        self._want_color = want_color
        self._raw = not want_color and self._ask_raw()
        self._bad = 0
        self._fourcc = _fourcc(self.capture)
        size = self._given = self._size()
        self.fps = usable_fps(self.capture.get(cv2.CAP_PROP_FPS))
        fits = size == (mode.width, mode.height) and (self.fps or mode.fps) >= mode.fps * 0.9
        if mode.asked and not fits:
            say(
                f"{path} gives {size[0]}x{size[1]} at {self.fps or 0:g} frames/s, "
                f"not {mode.width}x{mode.height} at {mode.fps:g}"
            )

    def read(self) -> CapturedFrame:
        """Wait for the next picture; raises SourceLost after an unplug."""
        while True:
            more, raw = self.capture.read()
            if not more or raw is None:
                raise SourceLost(f"{self.name} gives no more pictures; check its plug.")
            shot = self._shot(self._capture_time(time.monotonic()), np.asarray(raw, np.uint8))
            if shot is not None:
                self._bad = 0
                return shot
            self._bad += 1  # a bad cable or a loaded hub cuts single MJPG pictures short
            if self._bad >= BAD_IN_A_ROW:
                raise SourceLost(
                    f"{self.name} gives pictures that cannot be decoded; "
                    "try another cable or a smaller --size."
                )

    def close(self) -> None:
        """Give the camera back."""
        self.capture.release()

    def _capture_time(self, arrived: float) -> float:
        """Return when the newest picture was capture_time, where the driver says it on our clock.

        Most drivers stamp with CLOCK_MONOTONIC, which is time.monotonic() on Linux; some with the
        time of day, or with nothing.
        """
        stamp = self.capture.get(cv2.CAP_PROP_POS_MSEC) / 1e3
        return stamp if 0 <= arrived - stamp < OLDEST_S else arrived

    def _shot(self, capture_time: float, raw: Pixels) -> CapturedFrame | None:
        if self._raw:
            gray = gray_of(raw, self._fourcc, self._given)
            return None if gray is None else CapturedFrame(capture_time, gray, None)
        gray = np.asarray(cv2.cvtColor(raw, cv2.COLOR_BGR2GRAY), np.uint8)
        return CapturedFrame(capture_time, gray, raw if self._want_color else None)

    def _configure(self, mode: CameraConfig) -> None:
        """Ask for raw YUYV, and for MJPG where that brings the size or rate that YUYV lacks.

        USB 2 carries raw pictures up to about 640x480 at 30 frames/s. `set` returns True for
        what the driver ignored, so each answer is read back.
        """
        got: dict[str, tuple[bool, float]] = {}
        for fourcc in ("YUYV", "MJPG"):
            self._ask(fourcc, mode)
            rate = self.capture.get(cv2.CAP_PROP_FPS)
            fits = self._size() == (mode.width, mode.height)
            if fits and rate >= mode.fps * 0.9:
                return
            got[_fourcc(self.capture)] = (fits, rate)
        best = max(got, key=lambda name: got[name])
        if best != _fourcc(self.capture):
            self._ask(best, mode)

    def _ask(self, fourcc: str, mode: CameraConfig) -> None:
        # In this order: a new format resets the size, a new size the rate.
        self.capture.set(cv2.CAP_PROP_FOURCC, cv2.VideoWriter.fourcc(*fourcc))
        self.capture.set(cv2.CAP_PROP_FRAME_WIDTH, mode.width)
        self.capture.set(cv2.CAP_PROP_FRAME_HEIGHT, mode.height)
        self.capture.set(cv2.CAP_PROP_FPS, mode.fps)
        self.capture.set(cv2.CAP_PROP_BUFFERSIZE, 2)

    def _ask_raw(self) -> bool:
        """Switch the conversion to BGR off where the gray can be had without it."""
        if _fourcc(self.capture) not in (*PACKED, *PLANAR, *JPEGS, "GREY"):
            return False
        self.capture.set(cv2.CAP_PROP_CONVERT_RGB, 0)
        return self.capture.get(cv2.CAP_PROP_CONVERT_RGB) == 0

    def _size(self) -> tuple[int, int]:
        width = self.capture.get(cv2.CAP_PROP_FRAME_WIDTH)
        return int(width), int(self.capture.get(cv2.CAP_PROP_FRAME_HEIGHT))


def gray_of(raw: Pixels, fourcc: str, size: tuple[int, int]) -> Pixels | None:
    """Return the gray picture, uint8 [H, W], in a camera's own bytes; None where it is broken.

    `raw` is what OpenCV gives with CAP_PROP_CONVERT_RGB off: [H, W, 2] of packed formats,
    [H * 3/2, W] of planar ones, the bytes of the file of JPEG. `size` is width, height.
    """
    width, height = size
    if fourcc in JPEGS:
        gray = cv2.imdecode(raw.reshape(-1), cv2.IMREAD_GRAYSCALE)
        return None if gray is None else np.asarray(gray, np.uint8)
    if fourcc in PACKED:
        if raw.size != width * height * 2:
            return None
        gray = cv2.extractChannel(raw.reshape(height, width, 2), PACKED[fourcc])
    else:
        if raw.size < width * height:
            return None
        gray = raw.reshape(-1)[: width * height].reshape(height, width)
    return np.asarray(gray if fourcc == "GREY" else cv2.LUT(gray, FULL_RANGE), np.uint8)


def open_usb(
    path: Path, mode: CameraConfig, want_color: bool, say: Say, give_up: float | None = None
) -> LiveSource:
    """Open a V4L2 device by its path; raises UserError with what stands in the way.

    After a loss it is found again by udev's name for it, or by its own name and plug: its number
    changes.
    """
    camera = usable(path)
    link = v4l2.link_to(path)
    device = open_interruptible(lambda: UsbDevice(path, mode, want_color, say))

    def reopen() -> UsbDevice:
        now = v4l2.find_again(camera, link)
        if now is None:
            raise UserError(f"{path} is not there.")
        usable(now)
        return UsbDevice(now, mode, want_color, lambda sentence: None)

    return LiveSource(device, reopen, say, mode.stall_s, give_up)


def usable(path: Path) -> v4l2.Node:
    """Return what a device is that gives pictures to this user; raises UserError for others."""
    if not path.exists():
        raise UserError(f"{path} does not exist; {_there_is()}.")
    if not os.access(path, os.R_OK | os.W_OK):
        raise UserError(
            f"{path} may not be used by this user; "
            "run `sudo usermod -aG video $USER` and log in again."
        )
    try:
        found = v4l2.node(path)
    except OSError:
        raise UserError(f"{path} is not a camera; {_there_is()}.") from None
    if found.driver in PI_CAMERA_DRIVERS:
        raise UserError(f"{path} is the raw side of a Pi camera; run `mien run picamera`.")
    if not found.captures:
        raise UserError(f"{path} gives no pictures (metadata or a codec); {_there_is()}.")
    return found


def find_usb(which: int | str) -> Path:
    """Return the USB camera with a number, counted from 0, or with a part of a name.

    The name is the one it tells or udev's under /dev/v4l/by-id. Raises UserError.
    """
    cameras = v4l2.usb_cameras()
    if isinstance(which, int):
        if which >= len(cameras):
            raise UserError(f"There is no USB camera number {which}; {_there_is()}.")
        return cameras[which].path
    found = []
    for camera in cameras:
        link = v4l2.link_to(camera.path)
        names = f"{camera.card}\n{link.name if link else ''}"
        if which.casefold() in names.casefold():
            found.append(camera.path)
    if len(found) > 1:
        raise UserError(
            f"{which} is in the names of several USB cameras: {', '.join(map(str, found))}; "
            "name one by its path under /dev/v4l/by-id."
        )
    if not found:
        raise UserError(f"There is no USB camera named {which}; {_there_is()}.")
    return found[0]


def _there_is() -> str:
    cameras = v4l2.usb_cameras()
    if not cameras:
        return "no USB camera is connected: plug one in, or try another cable or port"
    return "there is " + ", ".join(f"{camera.path} ({camera.card})" for camera in cameras)


def _fourcc(capture: cv2.VideoCapture) -> str:
    code = int(capture.get(cv2.CAP_PROP_FOURCC)) & 0xFFFFFFFF
    return code.to_bytes(4, "little").decode("latin-1")
