"""Small made things that tests read: band faces, class folders, zips, model files, EXIF."""

from __future__ import annotations

import hashlib
import io
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from mien.tflite.metadata import Crop, Metadata
from mien.tflite.model_file import MODELS, pack

DATA = Path(__file__).parents[1] / "data"
PORTRAITS = MODELS.parent / "demo" / "portraits"
LABELS = ("angry", "disgust", "fear", "happy", "neutral", "sad", "surprise")
# Forehead to chin, px: left, top, width and height, as a person sees them.
FACES = {
    "collins": [(142, 59, 92, 114)],
    "hopper": [(174, 102, 181, 228)],
    "both": [(109, 163, 121, 150), (425, 148, 92, 113)],
    "noface": [],
}
BAND = 6  # px, the rows of a 48 px picture that stand for one class in tests/data/bands.tflite

BANDS = Metadata(
    format=1,
    name="bands",
    version="0.1",
    labels=LABELS,
    input_size=48,
    colour="gray",
    resize="area",
    crop=Crop(0.1),
    temperature=1.25,
    threshold=0.4,
    metrics={"split": "made", "int8": {"n": 7, "accuracy": 1.0, "recall": {"happy": 0.5}}},
    training={"subset": "none", "recipe": {"epochs": 0}},
    licences={"model": "Apache-2.0"},
    created="2026-01-01T00:00:00+00:00",
    sha256="",
)


def flatbuffer(name: str = "bands") -> bytes:
    """Return a flatbuffer of tests/data/make_models.py."""
    return (DATA / f"{name}.tflite").read_bytes()


def write_model(path: Path, source: str = "bands", **changes: Any) -> Path:
    """Write a model file of a flatbuffer of tests/data, with changes to its metadata."""
    path.write_bytes(pack(flatbuffer(source), replace(BANDS, **changes)))
    return path


def pack_unchecked(data: bytes, **changes: Any) -> bytes:
    """Pack without the checks of `pack`: what another tool or a newer mien may have written."""
    metadata = replace(BANDS, **{"sha256": hashlib.sha256(data).hexdigest(), **changes})
    buffer = io.BytesIO(data)
    with zipfile.ZipFile(buffer, "a") as archive:
        archive.writestr("metadata.json", metadata.to_json())
    return buffer.getvalue()


def band_face(label: int, seed: int = 0) -> np.ndarray:
    """Return a "face" of a class, uint8 [48, 48]: noise with one of the bands brighter."""
    face = np.random.default_rng([label, seed]).integers(20, 90, (48, 48))
    face[label * BAND : (label + 1) * BAND] += 120
    return face.astype(np.uint8)


def encode(suffix: str, pixels: np.ndarray) -> bytes:
    """Return a picture file's bytes."""
    encoded, data = cv2.imencode(suffix, pixels, [cv2.IMWRITE_JPEG_QUALITY, 95])
    assert encoded
    return data.tobytes()


def write_picture(path: Path, pixels: np.ndarray) -> Path:
    """Write a picture in the format of its suffix, with the folders it needs."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(encode(path.suffix, pixels))
    return path


def write_faces(folder: Path, each: int = 2, prefix: str = "face_", seed: int = 0) -> Path:
    """Write class folders with `each` band faces."""
    for index, label in enumerate(LABELS):
        for number in range(each):
            face = band_face(index, seed + number)
            write_picture(folder / label / f"{prefix}{number}.png", face)
    return folder


def zip_folder(folder: Path, path: Path, prefix: str = "") -> Path:
    """Pack a folder's files into a zip, under a prefix."""
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted(folder.rglob("*")):
            if file.is_file():
                archive.write(file, prefix + file.relative_to(folder).as_posix())
    return path


def with_orientation(jpeg: bytes, orientation: int) -> bytes:
    """Return a JPEG with an EXIF segment that holds nothing but the orientation, 1 to 8."""
    entry = b"\x12\x01" + b"\x03\x00" + b"\x01\x00\x00\x00" + bytes([orientation, 0, 0, 0])
    tiff = b"II*\x00\x08\x00\x00\x00" + b"\x01\x00" + entry + b"\x00\x00\x00\x00"
    body = b"Exif\x00\x00" + tiff
    return jpeg[:2] + b"\xff\xe1" + (len(body) + 2).to_bytes(2, "big") + body + jpeg[2:]


def is_one_sentence(err: str, *words: str) -> bool:
    """Whether stderr is one line of ours that holds the words, and no traceback."""
    lines = err.strip().splitlines()
    return (
        len(lines) == 1
        and lines[0].startswith("mien: ")
        and lines[0].endswith(".")
        and all(word in lines[0] for word in words)
    )
