"""A Raspberry Pi camera through picamera2, which comes from apt and is imported late."""

from __future__ import annotations

import concurrent.futures
import contextlib
import os
from typing import Any

import cv2
import numpy as np

from edge.errors import UserError
from edge.sources.frame import CameraMode, Say, Shot, SourceLost
from edge.sources.live import LiveSource, patiently

WAIT_S = 2.0  # s for one frame; without it picamera2 waits for ever when frames stop
TRIES = 3
GRAY_FIRST = ("YUV420", "YVU420", "NV12", "NV21")  # the first H rows are the gray picture
DIM_US = 83_333  # the longest frame, 12 a second, as picamera2's own preview has it
CONTINUOUS = 2  # libcamera's AfModeEnum.Continuous
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

    def __init__(self, number: int, mode: CameraMode, want_colour: bool, say: Say) -> None:
        self.name = f"picamera:{number}"
        self.fps: float | None = mode.fps
        self._want_colour = want_colour
        self._camera = _open(number)
        try:
            self._start(mode, say)
        except Exception as error:
            self.close()
            raise UserError(
                f"The Pi camera {number} does not start ({_cause(error)}); "
                "try `rpicam-hello`, another --size, or check its ribbon."
            ) from error

    def read(self) -> Shot:
        """Wait for the next frame; raises SourceLost after six seconds without one."""
        for _ in range(TRIES):
            try:
                request = self._camera.capture_request(wait=WAIT_S)
                break
            except TIMEOUTS:
                # The job is still queued and would keep a frame for nobody.
                self._camera.cancel_all_and_flush()
        else:
            raise SourceLost(
                f"{self.name} gave no frame for {WAIT_S * TRIES:g} s; "
                "check its ribbon, then start again."
            )
        try:  # a request that is kept starves the camera
            gray = request.make_array("lores")[: self._height, : self._width]
            bgr = request.make_array("main") if self._want_colour else None
            taken = request.get_metadata()["SensorTimestamp"] / 1e9
        finally:
            request.release()
        if bgr is not None and bgr.shape[:2] != gray.shape:
            bgr = np.asarray(cv2.resize(bgr, (self._width, self._height)), np.uint8)
        return Shot(taken, gray, bgr)

    def close(self) -> None:
        """Stop the camera and give it back."""
        # After lost frames stop() would wait behind a job that never ends.
        for step in ("cancel_all_and_flush", "stop", "close"):
            with contextlib.suppress(Exception):
                getattr(self._camera, step)()

    def _start(self, mode: CameraMode, say: Say) -> None:
        controls: dict[str, Any] = {}
        known = self._camera.camera_controls
        if "FrameDurationLimits" in known:
            shortest = round(1e6 / mode.fps)  # microseconds
            # Nobody asked for a rate: in a dim room rather slower than too dark.
            longest = shortest if mode.asked else max(shortest, DIM_US)
            controls["FrameDurationLimits"] = (shortest, longest)
        if "AfMode" in known:
            controls["AfMode"] = CONTINUOUS
        size = (mode.width, mode.height)
        # Not the video configuration: its gray goes from 16 to 235, this one's from 0 to 255 as in
        # the pictures that the model was trained on.
        self._camera.configure(
            self._camera.create_preview_configuration(
                main={"format": "RGB888", "size": size},  # B, G, R in memory
                lores={"format": "YUV420", "size": size},  # on a Pi 4 this stream must be YUV
                controls=controls,
                buffer_count=4,
            )
        )
        given = self._camera.camera_configuration()
        main, lores = given["main"], given["lores"]
        if lores["format"] not in GRAY_FIRST:
            raise RuntimeError(f"it gives {lores['format']} instead of YUV420")
        if self._want_colour and main["format"] != "RGB888":
            raise RuntimeError(f"it gives {main['format']} instead of RGB888")
        self._width, self._height = lores["size"]
        if mode.asked and (self._width, self._height) != size:
            say(f"{self.name} gives {self._width}x{self._height}, not {mode.width}x{mode.height}")
        self._camera.start()


def open_picamera(number: int, mode: CameraMode, want_colour: bool, say: Say) -> LiveSource:
    """Open a Pi camera by its number; raises UserError with what stands in the way."""
    return LiveSource(patiently(lambda: PiDevice(number, mode, want_colour, say)))


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


def _open(number: int) -> Any:
    camera_class = _picamera2()
    # Asked before opening: a failed second opening kills the first one in picamera2 0.3.36.
    cameras = camera_class.global_camera_info()
    if number >= len(cameras):
        there = ", ".join(f"{n} ({c.get('Model', 'camera')})" for n, c in enumerate(cameras))
        raise UserError(
            f"There is no Pi camera number {number}; "
            + (f"there is {there}." if there else "none is connected: check its ribbon.")
        )
    try:
        return camera_class(number)
    except (IndexError, RuntimeError) as error:
        if "busy" in _cause(error).lower():
            raise UserError(
                f"The Pi camera {number} is in use by another program (rpicam, a service or "
                "another mien); stop that one."
            ) from error
        raise UserError(
            f"The Pi camera {number} does not open ({_cause(error)}); try `rpicam-hello`."
        ) from error


def _cause(error: BaseException) -> str:
    return str(error.__cause__ or error).rstrip(".")
