from __future__ import annotations

import io
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from made import encode, with_orientation
from mien.errors import UserError
from mien.image import decode_image, load_image
from mien.image_header import read_header, without_extras

# Large even patches, which survive JPEG: one corner is marked so that every turn shows.
COLOUR = np.full((40, 64, 3), (200, 60, 30), np.uint8)
COLOUR[:16, :16] = (20, 220, 240)
GRAY = cv2.cvtColor(COLOUR, cv2.COLOR_BGR2GRAY)
# Not ru_maxrss, which a process inherits from the one that started it.
PEAK = """
def peak_megabytes():
    lines = open("/proc/self/status").read().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) // 1024
"""


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


UPRIGHT = {
    1: lambda p: p,
    2: lambda p: p[:, ::-1],
    3: lambda p: p[::-1, ::-1],
    4: lambda p: p[::-1],
    5: lambda p: np.swapaxes(p, 0, 1),
    6: lambda p: np.rot90(p, -1),
    7: lambda p: np.swapaxes(p[::-1, ::-1], 0, 1),
    8: lambda p: np.rot90(p),
}


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_obeyed_in_colour_and_gray(orientation: int) -> None:
    """The stored pixels are what the camera saw; the orientation says how to hold them."""
    upright = UPRIGHT[orientation]
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
    with pytest.raises(UserError, match=rf"^{name} .*; (give|save|copy).*\.$"):
        decode_image(NO_PICTURES[name], name)


def test_a_jpeg_cut_short_is_refused_or_read_as_far_as_it_goes() -> None:
    """OpenCV 4.14 refuses it, 4.10 fills the rest with gray; no version may crash."""
    noise = np.random.default_rng(0).integers(0, 256, (99, 99), np.uint8)
    try:
        picture = decode_image(encode(".jpg", noise)[:999], "half.jpg")
    except UserError as error:
        assert str(error).startswith("half.jpg is damaged")  # noqa: PT017
    else:
        assert picture.gray.shape == (99, 99)


def upright_of(pixels: np.ndarray, orientation: int) -> np.ndarray:
    return UPRIGHT[orientation](pixels)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_of_a_png_with_transparency_is_obeyed(orientation: int) -> None:
    exif = b"II*\0" + struct.pack("<IHHHIHHI", 8, 1, 274, 3, 1, orientation, 0, 0)
    body = np.dstack([COLOUR, np.full(COLOUR.shape[:2], 255, np.uint8)])
    data = encode(".png", body)
    chunk = struct.pack(">I", len(exif)) + b"eXIf" + exif
    chunk += struct.pack(">I", zlib.crc32(b"eXIf" + exif))
    picture = decode_image(data[:33] + chunk + data[33:], "x")
    assert np.array_equal(picture.bgr, upright_of(COLOUR, orientation))


@pytest.mark.parametrize("turn", range(4))
@pytest.mark.parametrize("mirror", [None, 0, 1])
def test_turns_and_mirrors_of_an_avif_are_obeyed(turn: int, mirror: int | None) -> None:
    """libavif leaves both to the reader."""
    boxes = b"\0\0\0\x09irot" + bytes([turn])
    expected = np.rot90(COLOUR, turn)
    if mirror is not None:
        boxes += b"\0\0\0\x09imir" + bytes([mirror])
        expected = expected[:, ::-1] if mirror else expected[::-1]
    box = b"ispe\0\0\0\0" + struct.pack(">II", 64, 40)
    header = read_header(b"\0\0\0\x14ftypavif\0\0\0\0avif" + box + boxes)
    assert header is not None
    assert (header.format, header.width, header.height) == ("AVIF", 64, 40)
    assert np.array_equal(upright_of(COLOUR, header.orientation), expected)


def test_an_avif_is_read(tmp_path: Path) -> None:
    picture = decode_image(encode(".avif", COLOUR), "x")
    assert np.abs(picture.bgr.astype(int) - COLOUR).mean() < 8


def test_a_heic_picture_is_read_or_the_package_named(monkeypatch: pytest.MonkeyPatch) -> None:
    heif = pytest.importorskip("pillow_heif")
    rgb = np.ascontiguousarray(COLOUR[:, :, ::-1])
    buffer = io.BytesIO()
    heif.from_bytes("RGB", (64, 40), rgb.tobytes()).save(buffer, quality=90)
    picture = decode_image(buffer.getvalue(), "x.heic")
    assert np.abs(picture.bgr.astype(int) - COLOUR).mean() < 8
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    with pytest.raises(
        UserError, match=r"^x\.heic is a HEIC picture; run `pip install pillow-heif`"
    ):
        decode_image(buffer.getvalue(), "x.heic")


def huge(width: int, height: int) -> dict[str, bytes]:
    """Return headers of several formats that state a size, with next to nothing behind."""
    return {
        "a.png": png(b"\0" * 9, 1, 1, 8, 0).replace(
            struct.pack(">II", 1, 1), struct.pack(">II", width, height)
        ),
        "a.jpg": b"\xff\xd8\xff\xc0\0\x0b\x08"
        + struct.pack(">HH", height, width)
        + b"\x01\x01\x11\0\xff\xd9",
        "a.bmp": b"BM" + bytes(12) + struct.pack("<Iii", 40, width, -height) + bytes(28),
        "a.gif": b"GIF89a" + struct.pack("<HH", width, height) + b"\0\0\0;",
        "a.pgm": b"P5 # comment\n%d %d\n255\n" % (width, height),
        "a.webp": b"RIFF\x20\0\0\0WEBPVP8X\x0a\0\0\0\0\0\0\0"
        + (width - 1).to_bytes(3, "little")
        + (height - 1).to_bytes(3, "little"),
        "a.tif": b"II*\0\x08\0\0\0\x02\0"
        + struct.pack("<HHIHHHHIHH", 256, 3, 1, width, 0, 257, 3, 1, height, 0)
        + bytes(4),
    }


@pytest.mark.parametrize("name", huge(1, 1))
def test_a_picture_beyond_the_bound_is_refused_by_its_header(name: str) -> None:
    data = huge(30_000, 30_000)[name]
    with pytest.raises(UserError, match=rf"^{name} has 30000x30000 px, which is more than 100 meg"):
        decode_image(data, name)
    with pytest.raises(UserError, match="damaged"):  # the bound raised, its pixels are missing
        decode_image(huge(300, 300)[name][:60], name, 10**9)


def test_the_bound_can_be_moved() -> None:
    data = encode(".png", COLOUR)
    with pytest.raises(UserError, match=r"64x40 px, which is more than 0\.002 megapixels"):
        decode_image(data, "x", max_pixels=2000)


@pytest.mark.parametrize("kind", [b"IDAT", b"tEXt", b"IHDR"])
def test_a_png_whose_parts_state_more_than_the_file_has_takes_no_memory(kind: bytes) -> None:
    """OpenCV reserves what a part states: 4 GB for 108 bytes."""
    data = encode(".png", COLOUR)
    lying = data[:33] + struct.pack(">I", 0xFFDFFF00) + kind + data[33:]
    script = (
        "import sys\n"
        "from mien.errors import UserError\n"
        "from mien.image import decode_image\n"
        "try:\n    decode_image(sys.stdin.buffer.read(), 'x')\n"
        "except UserError as error:\n    print(error)\n"
        "print(peak_megabytes())\n"
    )
    done = subprocess.run([sys.executable, "-c", PEAK + script], input=lying, capture_output=True)
    sentence, megabytes = done.stdout.decode().splitlines()
    assert "states 4292869888 bytes" in sentence
    assert int(megabytes) < 600


def test_animation_and_text_of_a_png_are_left_out() -> None:
    data = encode(".png", COLOUR)
    body = b"\0" * 8
    chunk = struct.pack(">I", 8) + b"acTL" + body + struct.pack(">I", zlib.crc32(b"acTL" + body))
    assert without_extras(data[:33] + chunk + data[33:]) == without_extras(data)
    assert np.array_equal(decode_image(data[:33] + chunk + data[33:], "x").bgr, COLOUR)


def test_a_large_picture_without_color_takes_little_memory(tmp_path: Path) -> None:
    """36 megapixels: as color with transparency and its gray they would take 290 MB."""
    pixels = np.zeros((6000, 6000, 4), np.uint8)
    pixels[:3000] = (200, 60, 30, 255)
    cv2.imwrite(str(tmp_path / "large.png"), pixels)
    del pixels
    script = (
        "import sys\nfrom mien.image import load_image\n"
        "picture = load_image(sys.argv[1], want_color=False)\n"
        "print(picture.gray.shape, picture.gray[0, 0])\n"
        "print(peak_megabytes())\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", PEAK + script, tmp_path / "large.png"],
        capture_output=True,
        text=True,
    )
    shape, megabytes = done.stdout.splitlines()
    assert shape in ("(6000, 6000) 66", "(6000, 6000) 67")
    assert int(megabytes) < 200


def test_files_that_are_not_there_or_empty(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no picture .*none\.jpg"):
        load_image(tmp_path / "none.jpg")
    with pytest.raises(UserError, match="is a folder"):
        load_image(tmp_path)
    (tmp_path / "empty.jpg").touch()
    with pytest.raises(UserError, match="is empty"):
        load_image(tmp_path / "empty.jpg")
