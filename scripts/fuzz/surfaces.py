"""Surfaces of the fuzz campaign: samples of every format, and what reads them in Mien."""

from __future__ import annotations

import hashlib
import io
import json
import random
import zipfile
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from mien.errors import UserError
from mien.tflite.model_file import MODELS
from mutations import mutate

LABELS = ("angry", "disgust", "fear", "happy", "neutral", "sad", "surprise")
SECRET = "s3cr3t"  # a password in the addresses; it must not appear in a message


def _portrait(side: int = 96) -> np.ndarray:
    picture = cv2.imread(str(MODELS.parent / "demo" / "portraits" / "collins.jpg"))
    return np.asarray(cv2.resize(picture, (side, side), interpolation=cv2.INTER_AREA))


def _encoded(suffix: str, pixels: np.ndarray) -> bytes:
    return bytes(cv2.imencode(suffix, pixels)[1].tobytes())


def picture_samples() -> list[bytes]:
    """Small pictures in every format that this OpenCV writes."""
    color = _portrait()
    alpha = np.dstack([color, np.full(color.shape[:2], 200, np.uint8)])
    deep = cv2.cvtColor(color, cv2.COLOR_BGR2GRAY).astype(np.uint16) * 257
    suffixes = (".jpg", ".png", ".bmp", ".webp", ".tiff", ".ppm", ".gif", ".jp2", ".avif")
    samples = [_encoded(".png", alpha), _encoded(".png", deep)]
    for suffix in suffixes:
        try:
            samples.append(_encoded(suffix, color))
        except cv2.error:  # not in this build
            continue
    return samples


def read_picture(data: bytes, folder: Path) -> None:
    """As `mien image` reads a picture."""
    from mien.image import decode_image

    decode_image(data, "mutant")


def model_samples() -> list[bytes]:
    """The smallest bundled model."""
    return [(MODELS / "mien-nano.tflite").read_bytes()]


def mutate_model(data: bytes, other: bytes, rng: random.Random) -> bytes:
    """Change the file, the metadata, or the flatbuffer under a hash that is right again."""
    kind = rng.random()
    if kind < 0.2:
        return mutate(data, other, rng)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        metadata = archive.read("metadata.json")
        flatbuffer = data[: min(info.header_offset for info in archive.infolist())]
    if kind < 0.6:
        metadata = mutate(metadata, metadata, rng)
    else:
        before = hashlib.sha256(flatbuffer).hexdigest()
        # Tables and vectors stand at the ends; what lies between are weights.
        edge = rng.choice((slice(0, 4096), slice(-40_000, None)))
        part = mutate(flatbuffer[edge], flatbuffer[edge], rng)
        flatbuffer = part + flatbuffer[4096:] if edge.start == 0 else flatbuffer[:-40_000] + part
        after = hashlib.sha256(flatbuffer).hexdigest()
        metadata = metadata.replace(before.encode(), after.encode())
    file = io.BytesIO(flatbuffer)
    file.seek(0, io.SEEK_END)
    with zipfile.ZipFile(file, "a") as archive:
        archive.writestr("metadata.json", metadata)
    return file.getvalue()


def read_model(data: bytes, folder: Path) -> None:
    """As `mien info` and `mien image --model` read a model."""
    from mien.classification.classifier import Classifier
    from mien.commands.info import card
    from mien.tflite.model_file import load_model

    file = folder / "mutant.tflite"
    file.write_bytes(data)
    model = load_model(str(file))
    card(model)
    Classifier(model)


def zip_samples() -> list[bytes]:
    """Archives in Kaggle's layout, stored and deflated."""
    samples = []
    for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w", method) as archive:
            for number, label in enumerate(LABELS):
                gray = cv2.cvtColor(_portrait(48), cv2.COLOR_BGR2GRAY) // (1 + number)
                for split, prefix in (("train", "Training"), ("test", "PublicTest")):
                    name = f"{split}/{label}/{prefix}_{number}.jpg"
                    archive.writestr(name, _encoded(".jpg", gray))
        samples.append(file.getvalue())
    return samples


def read_zip(data: bytes, folder: Path) -> None:
    """As `mien eval` and `mien-train audit` read an archive."""
    _read_faces(folder / "mutant.zip", data)


def csv_samples() -> list[bytes]:
    """A csv in the form of the ICML 2013 challenge."""
    rows = ["emotion,pixels,Usage"]
    for number in range(14):
        gray = cv2.cvtColor(_portrait(48), cv2.COLOR_BGR2GRAY) // (1 + number)
        pixels = " ".join(map(str, gray.ravel()))
        rows.append(f"{number // 2},{pixels},{('Training', 'PublicTest')[number % 2]}")
    return ["\n".join(rows).encode()]


def read_csv(data: bytes, folder: Path) -> None:
    """As `mien eval` and `mien-train audit` read a csv."""
    _read_faces(folder / "mutant.csv", data)


def _read_faces(file: Path, data: bytes) -> None:
    from mien.evaluation.dataset import list_faces
    from mien_train.data.fer2013 import load

    file.write_bytes(data)
    refused: list[str] = []
    try:
        for _ in list_faces(file, LABELS).faces(refused.append):
            pass
    finally:
        for message in refused:
            check_message(message)
    load(file)


def session_samples() -> list[bytes]:
    """A recording as `mien run --jsonl` writes it."""
    rng = random.Random(7)
    lines = []
    for index in range(40):
        faces = []
        for number in range(index % 3):
            shares = {label: round(rng.random() / 3.5, 4) for label in LABELS}
            top = max(shares, key=lambda label: shares[label])
            face = {"id": number + 1, "age": 0.04, "box": [10, 20, 100, 100], "emotion": top}
            faces.append({**face, "confidence": shares[top], "probabilities": shares})
        lines.append({"frame": index, "time": index / 25, "faces": faces, "ms": {"total": 2.0}})
    lines.insert(20, {"event": "lost", "time": 0.8, "why": "usb:0 is lost."})
    return ["\n".join(map(json.dumps, lines)).encode()]


def read_session(data: bytes, folder: Path) -> None:
    """As `mien report` reads a recording."""
    from mien.report.aggregate import collect
    from mien.report.html import html
    from mien.report.reader import Broken, read_lines
    from mien.report.view import rows, view_of

    file = folder / "mutant.jsonl"
    file.write_bytes(data)
    broken = Broken()
    session = collect(read_lines(file, broken, lambda blocks, total: blocks))
    if session.frames:
        html(view_of(session, "mutant", broken.count))
        list(rows(session))


def config_samples() -> list[bytes]:
    """An options file of a service."""
    return [
        b'source = "usb:0"\nsize = "640x480"\nthreads = 2\nfps = 15.0\nblur = true\n'
        b'jsonl = "faces.jsonl"\nweb = "0.0.0.0:8080"\n'
        b"on = [\"sad>0.7 for 5s: aplay alarm.wav\", 'happy: http://localhost/x']\n"
    ]


def read_config(data: bytes, folder: Path) -> None:
    """As `mien run --config` reads its options."""
    from mien.commands.run import run
    from mien.config import parameters, read_file

    file = folder / "mutant.toml"
    file.write_bytes(data)
    read_file(file, parameters(run))


def address_samples() -> list[bytes]:
    """Addresses of sources, pages, brokers and reactions; some with a password."""
    return [
        b"rtsp://admin:s3cr3t@camera.local:554/stream?channel=1",
        b"http://192.168.1.2/video.mjpg?user=admin&pwd=s3cr3t",
        b"mqtts://mien@broker.local:8883/home/mien",
        b"0.0.0.0:8080",
        b"[::1]:80",
        b"sad>0.7 for 5s: aplay alarm.wav",
        b"any happy>=0.5: https://user:s3cr3t@example.com/hook?a=b",
        b"usb:Logitech",
        b"picamera:0",
    ]


def read_address(data: bytes, folder: Path) -> None:
    """As `mien run` reads the words of its command line."""
    from mien.mqtt.broker import parse_broker
    from mien.reactions.rules import parse_rule
    from mien.sources.address import is_address, public
    from mien.web.binding import parse_bind_address

    text = data.decode("utf-8", "surrogateescape")
    if is_address(text) and SECRET in public(text):
        raise AssertionError(f"the password is shown: {public(text)!r}")
    for parse in (parse_broker, parse_bind_address, lambda rule: parse_rule(rule, LABELS)):
        try:
            parse(text)
        except UserError as error:
            check_message(str(error))


SURFACES: dict[str, tuple[Callable[[], list[bytes]], Callable[[bytes, Path], None]]] = {
    "picture": (picture_samples, read_picture),
    "model": (model_samples, read_model),
    "zip": (zip_samples, read_zip),
    "csv": (csv_samples, read_csv),
    "session": (session_samples, read_session),
    "config": (config_samples, read_config),
    "address": (address_samples, read_address),
}


def mutant(surface: str, samples: list[bytes], seed: int, number: int) -> bytes:
    """Return one mutant; the same arguments give the same bytes."""
    rng = random.Random(f"{seed} {surface} {number}")
    change = mutate_model if surface == "model" else mutate
    return change(rng.choice(samples), rng.choice(samples), rng)


def check_message(message: str) -> None:
    """Raise AssertionError unless a message is one printable line."""
    if not message.strip() or not message.isprintable():
        raise AssertionError(f"not one printable line: {message!r}")
