"""Where frames come from: cameras, videos, streams and pictures, all as one protocol."""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path

from mien.errors import UserError
from mien.image import SUFFIXES
from mien.sources import picamera, usb, v4l2
from mien.sources.address import is_address, public
from mien.sources.base import CameraConfig, Change, Frame, ReadOptions, Say, Source, SourceLost
from mien.sources.images import open_pictures
from mien.sources.stream import open_stream
from mien.sources.video import open_video

__all__ = [
    "CameraConfig",
    "Change",
    "Frame",
    "ReadOptions",
    "Source",
    "SourceLost",
    "is_camera",
    "open_source",
]


def open_source(
    spec: str,
    want_color: bool = False,
    mode: CameraConfig | None = None,
    say: Say = print,
    give_up: float | None = None,
    options: ReadOptions | None = None,
) -> Source:
    """Open what a person named.

    `auto` (a Pi camera, else the first USB camera), `picamera[:N|:NAME]`, `usb[:N|:NAME]`, a
    device such as `/dev/video0` or one under `/dev/v4l/by-id`, an `http(s)://` or `rtsp://`
    address, a folder of pictures, a picture or a video file. `bgr` of the frames is None unless
    `want_color`; `say` takes sentences for the user that stop nothing. A camera or stream that is
    lost once it ran is looked for until it is back, or for `give_up` seconds. Raises UserError
    where it cannot be opened.
    """
    mode = mode or CameraConfig()
    options = options or ReadOptions()
    if spec == "auto":
        return _auto(mode, want_color, say, give_up)
    kind, _, which = spec.partition(":")
    if kind in ("picamera", "usb"):
        # Up to three digits are a number, anything else is a part of a name.
        camera = int(which or 0) if re.fullmatch("[0-9]{0,3}", which) else which
        if kind == "usb":
            return usb.open_usb(usb.find_usb(camera), mode, want_color, say, give_up)
        return picamera.open_picamera(camera, mode, want_color, say, give_up)
    if is_address(spec) and not os.path.lexists(spec):
        return open_stream(spec, want_color, mode.stall_s, say, give_up, options)
    path = Path(spec)
    if _is_device(path):
        return usb.open_usb(path, mode, want_color, say, give_up)
    try:
        path.stat()
    except PermissionError:
        raise UserError(f"Permission denied: {path}; read it as its owner.") from None
    except (OSError, ValueError):
        raise UserError(_no_such_source(spec)) from None
    if not spec:  # pathlib takes it for this folder
        raise UserError(_no_such_source(spec))
    if path.is_dir():
        return open_pictures(path, want_color, say, options.max_pixels)
    if path.suffix.lower() in SUFFIXES:
        return open_pictures(path, want_color, say, options.max_pixels)
    return open_video(path, want_color, say, options.input_fps)


def is_camera(spec: str) -> bool:
    """Whether a source is one to which a size and a rate can be said."""
    return spec.partition(":")[0] in ("auto", "picamera", "usb") or _is_device(Path(spec))


def _is_device(path: Path) -> bool:
    if str(path).startswith(("/dev/video", "/dev/v4l/")):
        return True
    try:
        return stat.S_ISCHR(path.stat().st_mode)
    except (OSError, ValueError):
        return False


def _no_such_source(spec: str) -> str:
    if spec.isdigit():
        return f"There is no file named {spec}; for a camera write usb:{spec} or picamera:{spec}."
    return (
        f"{public(spec)[:200] or 'An empty name'} is not a file, folder or camera; a source is "
        "auto, picamera[:N|:NAME], usb[:N|:NAME], /dev/videoN, a video file, an http://, "
        "https:// or rtsp:// address, or a folder of pictures."
    )


def _auto(mode: CameraConfig, want_color: bool, say: Say, give_up: float | None) -> Source:
    remedy = "plug one in"
    try:
        number = picamera.pi_camera()
        looked = "no Pi camera is connected"
    except picamera.PicameraMissing as error:
        number = None
        looked = f"{error.why}, so no Pi camera could be looked for"
        remedy += f" ({error.remedy})"
    if number is not None:
        return picamera.open_picamera(number, mode, want_color, say, give_up)
    cameras = v4l2.usb_cameras()
    if cameras:
        return usb.open_usb(cameras[0].path, mode, want_color, say, give_up)
    raise UserError(
        f"No camera was found: {looked}, and no USB camera stands under /dev/video*; {remedy}, "
        "or name a source, as in `mien run clip.mp4`."
    )
