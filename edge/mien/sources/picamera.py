"""A Raspberry Pi camera through picamera2, which comes from apt and is imported late."""

from __future__ import annotations

import concurrent.futures
import contextlib
import math
import os
import time
from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np

from mien.errors import UserError
from mien.sources import live, v4l2
from mien.sources.base import CameraConfig, CapturedFrame, Say, SourceLost
from mien.sources.device_users import processes_using
from mien.sources.frame_grabber import open_interruptible
from mien.sources.live import LiveSource

WAIT_S = 2.0  # s for one frame; without it picamera2 waits for ever when frames stop
GRAY_FIRST = ("YUV420", "YVU420", "NV12", "NV21")  # the first H rows are the gray picture
DIM_US = 83_333  # the longest frame, 12 a second, as picamera2's own preview has it
MANUAL, CONTINUOUS = 0, 2  # of libcamera's AfModeEnum
INSTALL = (
    "for a Pi camera run `sudo apt install python3-picamera2` and make the virtual environment "
    "with `python3 -m venv --system-site-packages`"
)
REPAIR = (
    "for a Pi camera make the virtual environment with the system's python3 and "
    "--system-site-packages, and on Raspberry Pi OS bookworm "
    "`pip install 'numpy<2' 'opencv-python<4.12'`"
)
# Python 3.10's own TimeoutError is another class.
TIMEOUTS = (concurrent.futures.TimeoutError, TimeoutError)


class PicameraMissing(UserError):
    """picamera2 is not there or does not import; `why` and `remedy` are halves of a sentence."""

    def __init__(self, why: str, remedy: str) -> None:
        super().__init__(f"{why}; {remedy}.")
        self.why = why
        self.remedy = remedy


class PiDevice:
    """A started Pi camera: gray from its small stream as the camera's chip made it.

    picamera2 gives the last completed frame and recycles the others by itself.
    """

    def __init__(
        self, which: int | str, mode: CameraConfig, want_color: bool, say: Say, name: str = ""
    ) -> None:
        cameras = _picamera2().global_camera_info()
        number = _number(which, cameras)
        self.name = name or f"picamera:{number}"
        self.identity = str(cameras[number].get("Id", ""))
        self.fps: float | None = mode.fps
        self._want_color = want_color
        self._patience = max(mode.stall_s, live.WARM_UP_S)  # s, until it has given a frame
        self._stall = mode.stall_s
        self._camera = _open(number)
        try:
            self._start(mode, say)
        except UserError:
            self.close()
            raise
        except Exception as error:
            self.close()
            raise UserError(
                f"The Pi camera {number} does not start ({_cause(error)}); "
                "try `rpicam-hello`, another --size, or check its ribbon."
            ) from error

    def read(self) -> CapturedFrame:
        """Wait for the next frame; raises SourceLost after `stall_s` without one."""
        try:
            request = self._request()
            try:  # a request that is kept starves the camera
                gray = request.make_array("lores")[: self._height, : self._width]
                bgr = request.make_array("main") if self._want_color else None
                stamp = request.get_metadata().get("SensorTimestamp")
            finally:
                request.release()
        except RuntimeError as error:
            raise SourceLost(f"{self.name} failed ({_cause(error)}).") from error
        if bgr is not None and bgr.shape[:2] != gray.shape:
            bgr = np.asarray(cv2.resize(bgr, (self._width, self._height)), np.uint8)
        return CapturedFrame(
            time.monotonic() if stamp is None else on_monotonic_clock(stamp), gray, bgr
        )

    def close(self) -> None:
        """Stop the camera and give it back; may hang for ever where libcamera does."""
        # After lost frames stop() would wait behind a job that never ends.
        for step in ("cancel_all_and_flush", "stop", "close"):
            with contextlib.suppress(Exception):
                getattr(self._camera, step)()

    def _request(self) -> Any:
        end = time.monotonic() + self._patience
        while (left := end - time.monotonic()) > 0:
            try:
                request = self._camera.capture_request(wait=min(WAIT_S, left))
            except TIMEOUTS:
                # The job is still queued and would keep a frame for nobody.
                self._camera.cancel_all_and_flush()
            else:
                self._patience = self._stall
                return request
        raise SourceLost(f"{self.name} gave no frame for {self._patience:g} s; check its ribbon.")

    def _start(self, mode: CameraConfig, say: Say) -> None:
        size = (mode.width, mode.height)
        # Not the video configuration: its gray goes from 16 to 235, this one's from 0 to 255 as in
        # the pictures that the model was trained on.
        self._camera.configure(
            self._camera.create_preview_configuration(
                main={"format": "RGB888", "size": size},  # B, G, R in memory
                lores={"format": "YUV420", "size": size},  # on a Pi 4 this stream must be YUV
                controls=controls(self.name, mode, self._camera.camera_controls, say),
                buffer_count=4,
            )
        )
        given = self._camera.camera_configuration()
        main, lores = given["main"], given["lores"]
        if lores["format"] not in GRAY_FIRST:
            raise RuntimeError(f"it gives {lores['format']} instead of YUV420")
        if self._want_color and main["format"] != "RGB888":
            raise RuntimeError(f"it gives {main['format']} instead of RGB888")
        self._width, self._height = lores["size"]
        if mode.asked and (self._width, self._height) != size:
            say(f"{self.name} gives {self._width}x{self._height}, not {mode.width}x{mode.height}")
        self._camera.start()


def controls(name: str, mode: CameraConfig, known: dict[str, Any], say: Say) -> dict[str, Any]:
    """Return libcamera's controls for a mode, of those that the camera has (`known`, with ranges).

    What was asked for and is not there is said; raises UserError for what is out of range.
    """
    chosen: dict[str, Any] = {}
    if "FrameDurationLimits" in known:
        shortest = round(1e6 / mode.fps)  # microseconds
        # Nobody asked for a rate: in a dim room rather slower than too dark.
        longest = shortest if mode.asked else max(shortest, DIM_US)
        chosen["FrameDurationLimits"] = (shortest, max(longest, mode.exposure_us or 0))
    # A fixed exposure leaves the gain automatic, and the other way round.
    asked: dict[str, tuple[str, float | None]] = {
        "ExposureTime": ("exposure", mode.exposure_us),
        "AnalogueGain": ("gain", mode.gain),
        "LensPosition": ("focus", None if mode.focus_m is None else dioptres(mode.focus_m)),
    }
    for control, (word, value) in asked.items():
        if value is None:
            continue
        if control not in known:
            say(f"{name} has no {word} to set; it is left as it is")
            continue
        least, most = known[control][:2]
        if not least <= value <= most:
            raise UserError(
                f"{name} has no such {word}: {control} goes from {least:g} to {most:g}, "
                f"and {value:g} was asked."
            )
        chosen[control] = value
    if "AfMode" in known:
        chosen["AfMode"] = MANUAL if "LensPosition" in chosen else CONTINUOUS
    return chosen


def dioptres(metres: float) -> float:
    """Return a distance as libcamera's LensPosition has it: 1/m, 0 at infinity."""
    return 0.0 if math.isinf(metres) else 1 / metres


def on_monotonic_clock(boottime_ns: int) -> float:
    """Return a SensorTimestamp (ns of CLOCK_BOOTTIME) as s of time.monotonic().

    The two clocks differ by the time that the computer slept.
    """
    boottime = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
    # The clock between two readings of the other: their distance bounds the error.
    before = time.monotonic_ns()
    now = time.clock_gettime_ns(boottime)
    after = time.monotonic_ns()
    return (boottime_ns - now + (before + after) // 2) / 1e9


def open_picamera(
    which: int | str,
    mode: CameraConfig,
    want_color: bool,
    say: Say,
    give_up: float | None = None,
) -> LiveSource:
    """Open a Pi camera by its number or a part of its name; raises UserError with what is wrong."""
    device = open_interruptible(lambda: PiDevice(which, mode, want_color, say))

    def reopen() -> PiDevice:
        which = device.identity  # a number could mean another one by now
        return PiDevice(which, mode, want_color, _nothing, device.name)

    return LiveSource(device, reopen, say, mode.stall_s, give_up)


def pi_camera() -> int | None:
    """Return the number of the first Pi camera, None where none is connected.

    libcamera lists USB cameras too, after the others; those are not meant. Raises
    PicameraMissing.
    """
    for number, info in enumerate(_picamera2().global_camera_info()):
        if "/usb" not in info["Id"]:
            return number
    return None


def _picamera2() -> Any:
    os.environ.setdefault("LIBCAMERA_LOG_LEVELS", "*:ERROR")  # its INFO lines hide our sentences
    try:
        from picamera2 import Picamera2
    except ImportError as error:
        if error.name == "picamera2":
            raise PicameraMissing("picamera2 is not installed", INSTALL) from None
        raise PicameraMissing(f"picamera2 does not import ({error})", REPAIR) from error
    except Exception as error:  # "numpy.dtype size changed" is a ValueError
        raise PicameraMissing(f"picamera2 does not import ({error})", REPAIR) from error
    return Picamera2


def _number(which: int | str, cameras: Sequence[dict[str, Any]]) -> int:
    """Return the number of the camera that is meant; raises UserError with those there are."""
    listed = ", ".join(f"{n} ({c.get('Model', 'camera')})" for n, c in enumerate(cameras))
    there_is = f"there is {listed}." if listed else f"{_none_found()}."
    if isinstance(which, int):
        if which >= len(cameras):
            raise UserError(f"There is no Pi camera number {which}; {there_is}")
        return which
    # A whole Id or Model first: "imx708" is not to be unclear beside an "imx708_wide".
    for fits in (
        lambda value: value == which.casefold(),
        lambda value: which.casefold() in value,
    ):
        found = [
            number
            for number, camera in enumerate(cameras)
            if any(fits(str(camera.get(key, "")).casefold()) for key in ("Id", "Model"))
        ]
        if len(found) > 1:
            raise UserError(f"{which} is the name of several Pi cameras; {there_is}")
        if found:
            return found[0]
    raise UserError(f"There is no Pi camera named {which}; {there_is}")


def _none_found() -> str:
    found = "libcamera finds none: check its ribbon, and that it is the sensor's right one"
    usb = v4l2.usb_cameras()
    if usb:
        found += f"; {usb[0].path} is a USB camera ({usb[0].card}), for it run `mien run usb`"
    return found


def _open(number: int) -> Any:
    # The caller has looked whether it is there: a failed second opening kills the first one in
    # picamera2 0.3.36.
    try:
        return _picamera2()(number)
    except (IndexError, RuntimeError) as error:
        if "busy" in _cause(error).lower():
            by = processes_using(lambda path: path.startswith(("/dev/media", "/dev/video")))
            raise UserError(
                f"The Pi camera {number} is in use by "
                f"{by or 'another program (rpicam, a service or another mien)'}; stop that one."
            ) from error
        raise UserError(
            f"The Pi camera {number} does not open ({_cause(error)}); try `rpicam-hello`."
        ) from error


def _nothing(sentence: str) -> None:
    """Say nothing: what a camera gives was said when it was opened first."""


def _cause(error: BaseException) -> str:
    return str(error.__cause__ or error).rstrip(".")
