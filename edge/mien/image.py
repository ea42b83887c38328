"""Image files as 8-bit gray and color, read within bounds of memory: the one way to a picture."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from mien.errors import UserError
from mien.image_header import UPRIGHT, ImageHeader, read_header, without_extras

BACKGROUND = 128  # gray on which a transparent picture is seen: neither a dark nor a bright edge
MAX_PIXELS = 100_000_000  # of a picture, unless the caller asks for more
LARGE_PIXELS = 24_000_000  # from here on 8 bits of gray alone are decoded where color is not needed
MAX_FILE_BYTES = 400_000_000
STRIP_ROWS = 64  # rows converted at once: a whole picture in 32 bits would take gigabytes
SUFFIXES = (
    *(".jpg", ".jpeg", ".jfif", ".png", ".bmp", ".webp", ".tif", ".tiff", ".gif"),
    *(".pgm", ".ppm", ".pnm", ".avif", ".jp2", ".heic", ".heif"),
)

Pixels = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Picture:
    """An upright picture in both forms that are needed."""

    bgr: Pixels  # [H, W, 3], blue first; a view of `gray` where color was not wanted
    gray: Pixels  # [H, W]


def load_image(path: str | Path, max_pixels: int = MAX_PIXELS, want_color: bool = True) -> Picture:
    """Read an image file.

    Raises UserError where it is missing, empty, damaged, of another kind, or has more than
    `max_pixels`.
    """
    path = Path(path)
    try:
        if path.is_dir():
            raise UserError(f"{path} is a folder; name the pictures in it, as in {path}/*.jpg.")
        if path.exists() and not path.is_file():
            raise UserError(f"{path} is not a regular file; name a picture.")
        size = path.stat().st_size
        if size > MAX_FILE_BYTES:
            raise UserError(
                f"{path} has {size // 1_000_000} MB, and {MAX_FILE_BYTES // 1_000_000} are read "
                "at most; make it smaller."
            )
        data = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        raise UserError(f"There is no picture {path}; check its name.") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise UserError(f"{path} cannot be read ({reason}).") from error
    return decode_image(data, str(path), max_pixels, want_color)


def decode_image(
    data: bytes, name: str, max_pixels: int = MAX_PIXELS, want_color: bool = True
) -> Picture:
    """Decode the bytes of an image file; `name` is what messages call it.

    Gray stays as it is stored, color becomes gray by OpenCV's weights (ITU-R BT.601), 16 bits are
    scaled to 8, transparency is laid over a neutral gray, and the orientation is obeyed. Without
    `want_color`, pictures of more than `LARGE_PIXELS` are decoded as gray alone, and transparency
    is then left out. Raises UserError.
    """
    if not data:
        raise UserError(f"{name} is empty; copy it again.")
    header = _checked_header(data, name, max_pixels)
    large = header.width * header.height > LARGE_PIXELS
    if header.format == "HEIC":
        return _picture(_decode_heic(data, name), want_color)
    try:
        pixels = _decode(data, header, large, want_color)
    except (cv2.error, MemoryError) as error:
        reason = getattr(error, "err", None) or "it needs too much memory"
        raise UserError(f"{name} cannot be decoded ({reason}).") from error
    if pixels is None or pixels.size == 0:
        raise UserError(f"{name} is damaged and cannot be decoded; copy it again.")
    if pixels.shape[0] * pixels.shape[1] > max_pixels:
        raise UserError(_too_large(name, pixels.shape[1], pixels.shape[0], max_pixels))
    return _picture(_turned(_eight_bits(pixels, name), header.orientation), want_color)


def _checked_header(data: bytes, name: str, max_pixels: int) -> ImageHeader:
    try:
        header = read_header(data)
    except ValueError as error:
        raise UserError(f"{name} is damaged ({error}); copy it again.") from error
    if header is None:
        raise UserError(f"{name} is not a picture that Mien reads; give a JPEG or PNG file.")
    if header.width * header.height > max_pixels:
        raise UserError(_too_large(name, header.width, header.height, max_pixels))
    return header


def _too_large(name: str, width: int, height: int, max_pixels: int) -> str:
    return (
        f"{name} has {width}x{height} px, which is more than {max_pixels / 1e6:g} megapixels; "
        "make it smaller, or raise --max-megapixels."
    )


def _decode(
    data: bytes, header: ImageHeader, large: bool, want_color: bool
) -> npt.NDArray[np.generic] | None:
    if large:
        flags = cv2.IMREAD_COLOR if want_color else cv2.IMREAD_GRAYSCALE
    elif header.format == "JPEG":
        flags = cv2.IMREAD_ANYCOLOR | cv2.IMREAD_ANYDEPTH
    else:
        flags = cv2.IMREAD_UNCHANGED  # the only one that keeps transparency
    if header.format != "JPEG" and flags != cv2.IMREAD_UNCHANGED:
        flags |= cv2.IMREAD_IGNORE_ORIENTATION  # the header's is applied, as in the other case
    pixels = cv2.imdecode(np.frombuffer(without_extras(data), np.uint8), flags)
    return None if pixels is None else np.asarray(pixels)


def _decode_heic(data: bytes, name: str) -> Pixels:
    try:
        import pillow_heif
    except ImportError:
        raise UserError(
            f"{name} is a HEIC picture; run `pip install pillow-heif` to let Mien read these, or "
            "save it as JPEG."
        ) from None
    try:
        picture = pillow_heif.open_heif(data, convert_hdr_to_8bit=True)
        rgb = np.asarray(picture)
    except (OSError, ValueError, SyntaxError, RuntimeError, EOFError) as error:
        raise UserError(f"{name} is damaged ({error}); copy it again.") from error
    codes = {1: None, 3: cv2.COLOR_RGB2BGR, 4: cv2.COLOR_RGBA2BGRA}
    code = codes.get(1 if rgb.ndim == 2 else rgb.shape[2])
    return np.asarray(rgb if code is None else cv2.cvtColor(rgb, code), np.uint8)


def _eight_bits(pixels: npt.NDArray[np.generic], name: str) -> Pixels:
    if pixels.dtype == np.uint8:
        return np.asarray(pixels, np.uint8)
    if pixels.dtype != np.uint16:
        raise UserError(f"{name} has {pixels.dtype} pixels; save it with 8 or 16 bits as PNG.")
    scaled = np.empty(pixels.shape, np.uint8)
    for top in range(0, len(pixels), STRIP_ROWS):
        strip = pixels[top : top + STRIP_ROWS].astype(np.uint32)
        scaled[top : top + STRIP_ROWS] = (strip + 128) // 257
    return scaled


def _turned(pixels: Pixels, orientation: int) -> Pixels:
    """Apply an EXIF orientation, 1 to 8."""
    if orientation == UPRIGHT:
        return pixels
    turned = cv2.transpose(pixels) if orientation >= 5 else pixels
    flips = {2: 1, 3: -1, 4: 0, 6: 1, 7: -1, 8: 0}  # cv2's codes; 5 is the transpose alone
    if orientation in flips:
        turned = cv2.flip(turned, flips[orientation])
    return np.asarray(turned, np.uint8)


def _picture(pixels: Pixels, want_color: bool) -> Picture:
    if pixels.ndim == 3 and pixels.shape[2] in (1, 2):
        pixels = np.ascontiguousarray(pixels[:, :, 0])
    if pixels.ndim == 2:
        if not want_color:
            return Picture(np.broadcast_to(pixels[:, :, np.newaxis], (*pixels.shape, 3)), pixels)
        return Picture(np.asarray(cv2.cvtColor(pixels, cv2.COLOR_GRAY2BGR), np.uint8), pixels)
    if pixels.shape[2] == 4:
        pixels = _opaque(pixels)
    return Picture(pixels, np.asarray(cv2.cvtColor(pixels, cv2.COLOR_BGR2GRAY), np.uint8))


def _opaque(pixels: Pixels) -> Pixels:
    """Lay a picture with transparency, uint8 [H, W, 4], over a neutral gray."""
    mixed = np.empty((*pixels.shape[:2], 3), np.uint8)
    for top in range(0, len(pixels), STRIP_ROWS):
        strip = pixels[top : top + STRIP_ROWS].astype(np.uint32)
        opacity = strip[:, :, 3:]
        laid = strip[:, :, :3] * opacity + BACKGROUND * (255 - opacity)
        mixed[top : top + STRIP_ROWS] = (laid + 127) // 255
    return mixed
