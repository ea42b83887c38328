"""Fuzz campaign: mutated inputs for every file format and address that Mien reads.

    python scripts/fuzz.py                        # 10,000 mutants of each surface, hours
    python scripts/fuzz.py picture session --mutants 500
    python scripts/fuzz.py model --only 1234      # one mutant, in this process, with its traceback

A mutant passes if it is read, or refused by a UserError of one printable line, within 10 s of CPU
time and 600 MB; an address also must not show its password. Mutant K of a surface is the same on
every machine: it depends on --seed, the surface and K alone. Mutants run in child processes, so
that a crash of a native library is seen. The last line is one JSON document. Exit code 1 if a
mutant failed.
"""

from __future__ import annotations

import argparse
import io
import json
import random
import re
import resource
import signal
import subprocess
import sys
import tempfile
import traceback
import zipfile
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from mien.child import code_command
from mien.errors import UserError
from mien.tflite.model_file import MODELS

MUTANTS = 10_000
HANG_S = 10  # of CPU time
STALL_S = 60  # of wall time: a mutant that waits for something; other processes may be busy
MAX_MB = 600
LABELS = ("angry", "disgust", "fear", "happy", "neutral", "sad", "surprise")
SECRET = "s3cr3t"  # a password in the addresses; it must not appear in a message
NUMBERS = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
TOKENS = (
    *("1e999", "NaN", "-Infinity", "-1", "0.0", "1" * 400, "1e12", "99999999999999999999", "null"),
    *("[" * 3000, "{", "}", '"', "'", "\\ud800", "\x00", "\x1b[31m", "\u2028", "%s", "é", "\udcff"),
    *("", ",", ";", ":", "=", "#", "/", "?", "@", "//", "..", " ", "\n", "true", "[]", "{}", "\\"),
)
WORD = re.compile(rb"[\w.+-]+|[^\w\s]")


# Mutations


def mutate(data: bytes, other: bytes, rng: random.Random) -> bytes:
    """Return data with one to six random changes; `other` is a sample to splice with."""
    text = _is_text(data)
    for _ in range(rng.choice((1, 1, 1, 2, 3, 6))):
        change = rng.choice(TEXT_CHANGES if text and rng.random() < 0.7 else BYTE_CHANGES)
        data = change(bytearray(data), other, rng)
    return data


def _is_text(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def _range(data: bytearray, rng: random.Random) -> slice:
    start = rng.randrange(len(data) + 1)
    return slice(start, start + int(rng.expovariate(1 / 30)) + 1)


def _flip(data: bytearray, other: bytes, rng: random.Random) -> bytes:
    if data:
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    return bytes(data)


def _number(data: bytearray, other: bytes, rng: random.Random) -> bytes:
    width = rng.choice((1, 2, 4, 8))
    value = rng.choice(NUMBERS) & (256**width - 1)
    start = rng.randrange(len(data) + 1)
    data[start : start + width] = value.to_bytes(width, rng.choice(("little", "big")))
    return bytes(data)


def _delete(data: bytearray, other: bytes, rng: random.Random) -> bytes:
    del data[_range(data, rng)]
    return bytes(data)


def _repeat(data: bytearray, other: bytes, rng: random.Random) -> bytes:
    part = _range(data, rng)
    data[part.start : part.start] = data[part] * rng.choice((1, 2, 50))
    return bytes(data)


def _truncate(data: bytearray, other: bytes, rng: random.Random) -> bytes:
    return bytes(data[: rng.randrange(len(data) + 1)])


def _noise(data: bytearray, other: bytes, rng: random.Random) -> bytes:
    data[_range(data, rng)] = rng.randbytes(rng.randrange(1, 40))
    return bytes(data)


def _splice(data: bytearray, other: bytes, rng: random.Random) -> bytes:
    part = _range(bytearray(other), rng)
    data[_range(data, rng)] = other[part]
    return bytes(data)


def _token(data: bytearray, other: bytes, rng: random.Random) -> bytes:
    """Replace a word, a number or a mark by a token that parsers trip over."""
    token = rng.choice(TOKENS).encode("utf-8", "surrogateescape")
    position = rng.randrange(len(data) + 1)
    if rng.random() < 0.5:  # where a line begins, long as it may be
        position = data.rfind(b"\n", 0, position) + 1
    word = WORD.search(data, position)
    data[slice(*word.span()) if word else slice(position, None)] = token
    return bytes(data)


def _lines(data: bytearray, other: bytes, rng: random.Random) -> bytes:
    """Move, drop or repeat a line."""
    lines = bytes(data).splitlines(keepends=True) or [b""]
    line = lines.pop(rng.randrange(len(lines)))
    for _ in range(rng.choice((0, 1, 2, 200))):
        lines.insert(rng.randrange(len(lines) + 1), line)
    return b"".join(lines)


Change = Callable[[bytearray, bytes, random.Random], bytes]
BYTE_CHANGES: tuple[Change, ...] = (_flip, _number, _delete, _repeat, _truncate, _noise, _splice)
TEXT_CHANGES: tuple[Change, ...] = (_token, _token, _token, _lines)


# Surfaces: samples, and what reads them


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
    import hashlib

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
            _check_message(message)
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
    from mien.sources.stream import public
    from mien.web.binding import parse_bind_address

    text = data.decode("utf-8", "surrogateescape")
    if SECRET in public(text):
        raise AssertionError(f"the password is shown: {public(text)!r}")
    for parse in (parse_broker, parse_bind_address, lambda rule: parse_rule(rule, LABELS)):
        try:
            parse(text)
        except UserError as error:
            _check_message(str(error))


SURFACES: dict[str, tuple[Callable[[], list[bytes]], Callable[[bytes, Path], None]]] = {
    "picture": (picture_samples, read_picture),
    "model": (model_samples, read_model),
    "zip": (zip_samples, read_zip),
    "csv": (csv_samples, read_csv),
    "session": (session_samples, read_session),
    "config": (config_samples, read_config),
    "address": (address_samples, read_address),
}


# The campaign


def mutant(surface: str, samples: list[bytes], seed: int, number: int) -> bytes:
    """Return one mutant; the same arguments give the same bytes."""
    rng = random.Random(f"{seed} {surface} {number}")
    change = mutate_model if surface == "model" else mutate
    return change(rng.choice(samples), rng.choice(samples), rng)


def _check_message(message: str) -> None:
    if not message.strip() or not message.isprintable():
        raise AssertionError(f"not one printable line: {message!r}")


def work(surface: str, seed: int, start: int, stop: int) -> None:
    """Read mutants start to stop, a line of JSON for each: the child's side."""
    make, read = SURFACES[surface]
    samples = make()
    with tempfile.TemporaryDirectory(prefix="mien-fuzz-") as folder:
        for number in range(start, stop):
            print(json.dumps({"begun": number}), flush=True)
            end = "read"
            # Their default action ends the process, inside a library too.
            signal.setitimer(signal.ITIMER_PROF, HANG_S)
            signal.alarm(STALL_S)
            try:
                read(mutant(surface, samples, seed, number), Path(folder))
            except UserError as error:
                end = "refused"
                try:
                    _check_message(str(error))
                except AssertionError as wrong:
                    end = f"message: {wrong}"
            except BaseException as error:
                frame = traceback.extract_tb(error.__traceback__)[-1]
                end = f"{type(error).__name__} in {Path(frame.filename).name}:{frame.lineno}"
            signal.setitimer(signal.ITIMER_PROF, 0)
            signal.alarm(0)
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000
            if peak > MAX_MB:
                end = f"memory: {peak:.0f} MB"
            print(json.dumps({"end": end}), flush=True)
            if peak > MAX_MB:
                return  # the peak stays: the next mutant needs a new process


def campaign(surface: str, mutants: int, seed: int) -> dict[str, object]:
    """Run the mutants of a surface in child processes; return the counts and the failures."""
    counts = {"read": 0, "refused": 0}
    failures: dict[str, list[int]] = {}
    number = 0
    while number < mutants:
        code = "import runpy; runpy.run_path(sys.argv[0])"
        command = code_command(code.replace("sys.argv[0]", repr(__file__)))
        command = [*command[:2], f"{command[2]}['work']({surface!r}, {seed}, {number}, {mutants})"]
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        ) as child:
            assert child.stdout
            begun = None
            for line in child.stdout:
                if not line.startswith("{"):
                    continue
                entry = json.loads(line)
                if "begun" in entry:
                    begun = number = entry["begun"]
                    continue
                if entry["end"] in counts:
                    counts[entry["end"]] += 1
                else:
                    failures.setdefault(entry["end"], []).append(number)
                begun, number = None, number + 1
                if sys.stderr.isatty():
                    print(f"\r\x1b[K{surface} {number} of {mutants}", end="", file=sys.stderr)
        if begun is not None:  # the child ended inside a mutant
            hang = child.returncode in (-signal.SIGALRM, -signal.SIGPROF)
            kind = "hang" if hang else f"exit {child.returncode}"
            failures.setdefault(kind, []).append(number)
            number += 1
        elif child.returncode:
            raise SystemExit(f"{surface}: the worker does not start: {' '.join(command)}")
    return {"mutants": mutants, **counts, "failed": failures}


def main() -> None:
    """Run the campaign; see the module."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("surfaces", nargs="*", metavar="SURFACE", help=", ".join(SURFACES))
    parser.add_argument("--mutants", type=int, default=MUTANTS, metavar="N")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", type=int, metavar="K", help="read one mutant in this process")
    options = parser.parse_args()
    chosen = options.surfaces or list(SURFACES)
    if unknown := set(chosen) - set(SURFACES):
        parser.error(f"no such surface: {', '.join(sorted(unknown))}")
    if options.only is not None:
        make, read = SURFACES[chosen[0]]
        data = mutant(chosen[0], make(), options.seed, options.only)
        print(f"{len(data)} bytes: {data[:200]!r}")
        with tempfile.TemporaryDirectory() as folder:
            read(data, Path(folder))
        return
    found = {surface: campaign(surface, options.mutants, options.seed) for surface in chosen}
    for surface, result in found.items():
        failed = sum(map(len, result["failed"].values()))  # type: ignore[attr-defined]
        print(f"{surface}: {result['read']} read, {result['refused']} refused, {failed} failed")
        for kind, numbers in result["failed"].items():  # type: ignore[attr-defined]
            print(f"  {kind}: {', '.join(map(str, numbers[:8]))}")
    print(json.dumps(found))
    sys.exit(any(result["failed"] for result in found.values()))


if __name__ == "__main__":
    main()
