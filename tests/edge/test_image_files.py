from __future__ import annotations

import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from made import encode, with_orientation
from mien.errors import UserError
from mien.image import decode_image, load_image

# Large even patches, which survive JPEG: one corner is marked so that every turn shows.
COLOUR = np.full((40, 64, 3), (200, 60, 30), np.uint8)
COLOUR[:16, :16] = (20, 220, 240)
GRAY = cv2.cvtColor(COLOUR, cv2.COLOR_BGR2GRAY)


def png(pixels: bytes, width: int, height: int, depth: int, kind: int, extra: bytes = b"") -> bytes:
    """Return a PNG of the rows given, for the kinds that OpenCV does not write."""

    def chunk(name: bytes, body: bytes) -> bytes:
        crc = struct.pack(">I", zlib.crc32(name + body))
        return struct.pack(">I", len(body)) + name + body + crc

    stride = len(pixels) // height
    rows = b"".join(b"\0" + pixels[i * stride : (i + 1) * stride] for i in range(height))
    header = struct.pack(">IIBBBBB", width, height, depth, kind, 0, 0, 0)
    body = chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + extra + body


def test_colour_is_read_and_weighted_to_gray() -> None:
    picture = decode_image(encode(".png", COLOUR), "x")
    assert np.array_equal(picture.bgr, COLOUR)
    assert np.array_equal(picture.gray, GRAY)


def test_gray_stays_as_it_is_stored() -> None:
    picture = decode_image(encode(".png", GRAY), "x")
    assert np.array_equal(picture.gray, GRAY)
    assert np.array_equal(picture.bgr, np.dstack([GRAY] * 3))


def test_sixteen_bits_are_scaled_to_eight() -> None:
    values = np.array([[0, 128, 129, 257, 40000, 65535]], np.uint16)
    picture = decode_image(encode(".png", values), "x")
    assert picture.gray.tolist() == [[0, 0, 1, 1, 156, 255]]
    assert picture.gray.dtype == np.uint8
    colour = decode_image(encode(".png", COLOUR.astype(np.uint16) * 257), "x")
    assert np.array_equal(colour.bgr, COLOUR)


@pytest.mark.parametrize("factor", [1, 257])
def test_transparency_is_laid_over_neutral_gray(factor: int) -> None:
    pixels = np.zeros((1, 3, 4), np.uint8)
    pixels[0, :, :3] = 0, 0, 255  # red
    pixels[0, :, 3] = 0, 128, 255
    kind = np.uint16 if factor > 1 else np.uint8
    picture = decode_image(encode(".png", pixels.astype(kind) * kind(factor)), "x")
    assert picture.bgr[0].tolist() == [[128, 128, 128], [64, 64, 192], [0, 0, 255]]


def test_gray_with_transparency() -> None:
    picture = decode_image(png(bytes([9, 0, 9, 255]), 2, 1, 8, 4), "x")
    assert picture.gray.tolist() == [[128, 9]]


def test_palette_and_one_bit() -> None:
    colours = bytes([255, 0, 0, 0, 0, 255])  # red, blue
    chunk = struct.pack(">I", 6) + b"PLTE" + colours
    chunk += struct.pack(">I", zlib.crc32(b"PLTE" + colours))
    picture = decode_image(png(bytes([0, 1]), 2, 1, 8, 3, chunk), "x")
    assert picture.bgr.tolist() == [[[0, 0, 255], [255, 0, 0]]]
    assert decode_image(png(b"\x40", 2, 1, 1, 0), "x").gray.tolist() == [[0, 255]]


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_obeyed_in_colour_and_gray(orientation: int) -> None:
    """The stored pixels are what the camera saw; the orientation says how to hold them."""
    upright = {
        1: lambda p: p,
        2: lambda p: p[:, ::-1],
        3: lambda p: p[::-1, ::-1],
        4: lambda p: p[::-1],
        5: lambda p: np.swapaxes(p, 0, 1),
        6: lambda p: np.rot90(p, -1),
        7: lambda p: np.swapaxes(p[::-1, ::-1], 0, 1),
        8: lambda p: np.rot90(p),
    }[orientation]
    picture = decode_image(with_orientation(encode(".jpg", COLOUR), orientation), "x")
    assert picture.bgr.shape == upright(COLOUR).shape
    assert np.abs(picture.bgr.astype(int) - upright(COLOUR)).mean() < 8
    assert picture.gray.shape == picture.bgr.shape[:2]
    gray = decode_image(with_orientation(encode(".jpg", GRAY), orientation), "x").gray
    assert np.abs(gray.astype(int) - upright(GRAY)).mean() < 8


NO_PICTURES = {
    "text.jpg": b"hello, I am a text\n" * 9,
    "half.png": encode(".png", np.random.default_rng(0).integers(0, 256, (99, 99), np.uint8))[:999],
    "head.png": encode(".png", COLOUR)[:30],
    "float.tif": encode(".tif", np.zeros((4, 4), np.float32)),
}


@pytest.mark.parametrize("name", NO_PICTURES)
def test_what_is_no_picture_gets_a_sentence(name: str) -> None:
    with pytest.raises(UserError, match=rf"^{name} .*; (give|save).*\.$"):
        decode_image(NO_PICTURES[name], name)


def test_a_jpeg_cut_short_is_refused_or_read_as_far_as_it_goes() -> None:
    """OpenCV 4.14 refuses it, 4.10 fills the rest with gray; no version may crash."""
    noise = np.random.default_rng(0).integers(0, 256, (99, 99), np.uint8)
    try:
        picture = decode_image(encode(".jpg", noise)[:999], "half.jpg")
    except UserError as error:
        assert str(error).startswith("half.jpg is no picture")  # noqa: PT017
    else:
        assert picture.gray.shape == (99, 99)


def test_files_that_are_not_there_or_empty(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no picture .*none\.jpg"):
        load_image(tmp_path / "none.jpg")
    with pytest.raises(UserError, match="is a folder"):
        load_image(tmp_path)
    (tmp_path / "empty.jpg").touch()
    with pytest.raises(UserError, match="is empty"):
        load_image(tmp_path / "empty.jpg")
