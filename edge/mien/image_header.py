"""Image headers: format, size and orientation, read and checked before OpenCV decodes a byte.

OpenCV reserves what a header asks for: a PNG of 108 bytes takes 4.3 GB of memory. So every picture
passes `read_header` first, which follows the structure only as far as the bytes reach.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass

MAX_SIDE = 65_535  # px; JPEG's own limit
MAX_SCANS = 64  # of a progressive JPEG; each makes the decoder go over all pixels again
PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
PNG_KEPT = (b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND")  # all that pixels are made of
HEIF_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")
UPRIGHT = 1  # EXIF's orientations are 1 to 8


@dataclass(frozen=True)
class ImageHeader:
    """What an image file says of itself."""

    format: str  # "PNG", "JPEG", "HEIC", ...
    width: int  # px, as stored
    height: int  # px, as stored
    orientation: int = UPRIGHT  # EXIF's number, where OpenCV does not turn the picture itself


def read_header(data: bytes) -> ImageHeader | None:
    """Return the header of an image file's bytes, None for an unknown format.

    Raises ValueError, with a clause that says what is wrong, for a damaged file or more than
    `MAX_SIDE` px along a side.
    """
    reader = next((read for magic, read in _READERS if magic(data)), None)
    if reader is None:
        return None
    try:
        header = reader(data)
    except (struct.error, IndexError) as error:
        raise ValueError("its header is cut off") from error
    if not (0 < header.width <= MAX_SIDE and 0 < header.height <= MAX_SIDE):
        raise ValueError(
            f"it states {header.width}x{header.height} px, and a side may have 1 to {MAX_SIDE} px"
        )
    return header


def without_extras(data: bytes) -> bytes:
    """Return a PNG with the chunks alone that pixels are made of: no animation, text or profile."""
    if not data.startswith(PNG_SIGNATURE):
        return data
    kept = [data[start:end] for kind, start, end in _png_chunks(data) if kind in PNG_KEPT]
    return b"".join([PNG_SIGNATURE, *kept])


def _png_chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Yield type, start and end of each chunk; raises ValueError where one is cut off."""
    at = len(PNG_SIGNATURE)
    while at + 12 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, at)
        end = at + 12 + length
        if end > len(data):
            raise ValueError(
                f"a part of it states {length} bytes where {len(data) - at - 12} are left"
            )
        yield kind, at, end
        if kind == b"IEND":
            return
        at = end
    raise ValueError("its end is missing")


def _png(data: bytes) -> ImageHeader:
    width = height = 0
    orientation = UPRIGHT
    for index, (kind, start, end) in enumerate(_png_chunks(data)):
        if (kind == b"IHDR") != (index == 0):
            raise ValueError("its parts stand in no order that PNG allows")
        if kind == b"IHDR":
            width, height = struct.unpack_from(">II", data, start + 8)
        elif kind == b"eXIf":
            orientation = exif_orientation(data[start + 8 : end - 4])
    return ImageHeader("PNG", width, height, orientation)


def _jpeg(data: bytes) -> ImageHeader:
    at = 2
    while True:
        at = data.index(b"\xff", at) if b"\xff" in data[at : at + 1024] else len(data)
        while data[at] == 0xFF:
            at += 1
        marker = data[at]
        at += 1
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            height, width = struct.unpack_from(">HH", data, at + 3)
            if data.count(b"\xff\xda", at) > MAX_SCANS:
                raise ValueError(f"it has more than {MAX_SCANS} scans")
            return ImageHeader("JPEG", width, height)
        if marker in (0xD9, 0xDA):
            raise ValueError("its size is missing")
        if not (marker == 0x01 or 0xD0 <= marker <= 0xD8):
            at += struct.unpack_from(">H", data, at)[0]


def _webp(data: bytes) -> ImageHeader:
    kind = data[12:16]
    orientation = UPRIGHT
    if kind == b"VP8X":
        width = 1 + int.from_bytes(data[24:27], "little")
        height = 1 + int.from_bytes(data[27:30], "little")
        at = 12
        while at + 8 <= len(data):
            tag, length = struct.unpack_from("<4sI", data, at)
            if tag == b"EXIF":
                orientation = exif_orientation(data[at + 8 : at + 8 + length])
            at += 8 + length + length % 2
    elif kind == b"VP8L":
        bits = struct.unpack_from("<I", data, 21)[0]
        width, height = 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    else:
        width, height = (value & 0x3FFF for value in struct.unpack_from("<HH", data, 26))
    return ImageHeader("WebP", width, height, orientation)


def _bmp(data: bytes) -> ImageHeader:
    if struct.unpack_from("<I", data, 14)[0] == 12:
        width, height = struct.unpack_from("<HH", data, 18)
    else:
        width, height = struct.unpack_from("<ii", data, 18)
    return ImageHeader("BMP", width, abs(height))


def _gif(data: bytes) -> ImageHeader:
    return ImageHeader("GIF", *struct.unpack_from("<HH", data, 6))


def _sun(data: bytes) -> ImageHeader:
    return ImageHeader("Sun raster", *struct.unpack_from(">II", data, 4))


def _pnm(data: bytes) -> ImageHeader:
    words: list[bytes] = []
    for line in data[:4096].splitlines():
        words += line.partition(b"#")[0].split()
        if len(words) >= 3:
            break
    if len(words) < 3 or not (words[1].isdigit() and words[2].isdigit()):
        raise ValueError("its size is missing")
    if len(words[1]) > 9 or len(words[2]) > 9:
        raise ValueError("its size has too many digits")
    return ImageHeader("PNM", int(words[1]), int(words[2]))


def _tiff(data: bytes) -> ImageHeader:
    order = "<" if data.startswith(b"II") else ">"
    tags = dict(_ifd(data, order))
    width, height = tags.get(256, 0), tags.get(257, 0)
    # A tile, or a strip, is decoded into memory whole.
    if tags.get(322, 0) * tags.get(323, 0) > 4 * max(1, width * height) + (1 << 20):
        raise ValueError("its tiles are larger than the picture")
    return ImageHeader("TIFF", width, height)


def _isobmff(data: bytes) -> ImageHeader:
    """AVIF and HEIC: the largest size of their items, and how the picture is to be turned."""
    end = struct.unpack_from(">I", data, 0)[0]
    brands = data[8:end]
    name = "AVIF" if b"avif" in brands or b"avis" in brands else "HEIC"
    sizes = [struct.unpack_from(">II", data, at + 8) for at in _found(data, b"ispe")]
    if not sizes:
        raise ValueError("its size is missing")
    width, height = max(sizes, key=lambda size: size[0] * size[1])
    turns = [data[at + 4] & 3 for at in _found(data, b"irot")][:1]
    mirrors = [data[at + 4] & 1 for at in _found(data, b"imir")][:1]
    return ImageHeader(name, width, height, _orientation(turns, mirrors))


def _jpeg2000(data: bytes) -> ImageHeader:
    at = data.index(b"ihdr") if b"ihdr" in data[:4096] else -1
    if at >= 0:
        height, width = struct.unpack_from(">II", data, at + 4)
    else:
        at = data.index(b"\xff\x51") if b"\xff\x51" in data[:4096] else len(data)
        right, down, left, top = struct.unpack_from(">4I", data, at + 6)
        width, height = right - left, down - top
    return ImageHeader("JPEG 2000", width, height)


def _found(data: bytes, tag: bytes) -> Iterator[int]:
    """Yield where a box's type stands; boxes of properties come before the pixels."""
    at = data.find(tag, 0, 1 << 16)
    while at >= 0:
        yield at
        at = data.find(tag, at + 4, 1 << 16)


def _orientation(turns: list[int], mirrors: list[int]) -> int:
    """Return EXIF's number of quarter turns to the left, then a mirror (0: upside down)."""
    turn = turns[0] if turns else 0
    if not mirrors:
        return (1, 8, 3, 6)[turn]
    return ((4, 5, 2, 7), (2, 7, 4, 5))[mirrors[0]][turn]


def exif_orientation(exif: bytes) -> int:
    """Return the orientation, 1 to 8, in an EXIF block; 1 where it says none."""
    block = exif.removeprefix(b"Exif\0\0")
    if block[:4] not in (b"II*\0", b"MM\0*"):
        return UPRIGHT
    try:
        for tag, value in _ifd(block, "<" if block.startswith(b"II") else ">"):
            if tag == 274:
                return value if 1 <= value <= 8 else UPRIGHT
    except struct.error:
        pass
    return UPRIGHT


def _ifd(data: bytes, order: str) -> Iterator[tuple[int, int]]:
    """Yield tag and first value of the short and long entries of a TIFF's first directory."""
    start = struct.unpack_from(order + "I", data, 4)[0]
    for index in range(struct.unpack_from(order + "H", data, start)[0]):
        at = start + 2 + 12 * index
        tag, kind = struct.unpack_from(order + "HH", data, at)
        if kind in (3, 4):
            yield tag, struct.unpack_from(order + ("H" if kind == 3 else "I"), data, at + 8)[0]


def _starts(*magics: bytes) -> Callable[[bytes], bool]:
    return lambda data: data.startswith(magics)


_READERS: tuple[tuple[Callable[[bytes], bool], Callable[[bytes], ImageHeader]], ...] = (
    (_starts(PNG_SIGNATURE), _png),
    (_starts(b"\xff\xd8\xff"), _jpeg),
    (lambda data: data[:4] == b"RIFF" and data[8:12] == b"WEBP", _webp),
    (_starts(b"BM"), _bmp),
    (_starts(b"GIF87a", b"GIF89a"), _gif),
    (_starts(b"II*\0", b"MM\0*"), _tiff),
    (_starts(b"P1", b"P2", b"P3", b"P4", b"P5", b"P6"), _pnm),
    (lambda data: data[4:8] == b"ftyp" and _is_heif(data), _isobmff),
    (_starts(b"\0\0\0\x0cjP  ", b"\xff\x4f\xff\x51"), _jpeg2000),
    (_starts(b"\x59\xa6\x6a\x95"), _sun),
)


def _is_heif(data: bytes) -> bool:
    return any(brand in data[8:64] for brand in (b"avif", b"avis", *HEIF_BRANDS))
