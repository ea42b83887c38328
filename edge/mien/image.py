"""Reads picture files as 8-bit gray and colour, whatever they hold."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from mien.errors import UserError

BACKGROUND = 128  # gray on which a transparent picture is seen: neither a dark nor a bright edge
JPEG = b"\xff\xd8"


@dataclass(frozen=True)
class Picture:
    """A picture, upright, in both forms that are needed."""

    bgr: npt.NDArray[np.uint8]  # [H, W, 3], blue first
    gray: npt.NDArray[np.uint8]  # [H, W]


def load_image(path: str | Path) -> Picture:
    """Read a picture file; raises UserError where it is missing, empty or no picture."""
    path = Path(path)
    if path.is_dir():
        raise UserError(f"{path} is a folder; name the pictures in it, as in {path}/*.jpg.")
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise UserError(f"There is no picture {path}; check its name.") from None
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror}).") from error
    return decode_image(data, str(path))


def decode_image(data: bytes, name: str) -> Picture:
    """Decode a picture file's bytes; `name` is what a sentence about it calls it.

    Gray stays as it is stored, colour becomes gray by OpenCV's weights (ITU-R BT.601), 16 bits are
    scaled to 8, transparency is laid over a neutral gray, and the EXIF orientation is obeyed.
    Raises UserError.
    """
    if not data:
        raise UserError(f"{name} is empty; copy it again.")
    buffer = np.frombuffer(data, np.uint8)
    try:
        pixels = cv2.imdecode(buffer, cv2.IMREAD_ANYCOLOR | cv2.IMREAD_ANYDEPTH)
        if pixels is not None and pixels.ndim == 3 and not data.startswith(JPEG):
            # Only this flag keeps transparency, and it alone forgets the orientation.
            raw = cv2.imdecode(buffer, cv2.IMREAD_UNCHANGED)
            if raw is not None and raw.ndim == 3 and raw.shape[2] == 4:
                pixels = raw
    except cv2.error as error:
        raise UserError(f"{name} cannot be decoded ({error.err}).") from error
    if pixels is None:
        raise UserError(
            f"{name} is no picture that can be read, or it is damaged; give a JPEG or PNG file."
        )
    return _picture(_eight_bits(np.asarray(pixels), name))


def _eight_bits(pixels: npt.NDArray[np.generic], name: str) -> npt.NDArray[np.uint8]:
    if pixels.dtype == np.uint16:
        return ((pixels.astype(np.uint32) + 128) // 257).astype(np.uint8)
    if pixels.dtype != np.uint8:
        raise UserError(f"{name} has {pixels.dtype} pixels; save it with 8 or 16 bits as PNG.")
    return np.asarray(pixels, np.uint8)


def _picture(pixels: npt.NDArray[np.uint8]) -> Picture:
    if pixels.ndim == 3 and pixels.shape[2] == 1:
        pixels = pixels[:, :, 0]
    if pixels.ndim == 2:
        return Picture(np.asarray(cv2.cvtColor(pixels, cv2.COLOR_GRAY2BGR), np.uint8), pixels)
    if pixels.shape[2] == 4:
        opacity = pixels[:, :, 3:].astype(np.uint32)
        mixed = pixels[:, :, :3] * opacity + BACKGROUND * (255 - opacity)
        pixels = ((mixed + 127) // 255).astype(np.uint8)
    return Picture(pixels, np.asarray(cv2.cvtColor(pixels, cv2.COLOR_BGR2GRAY), np.uint8))
