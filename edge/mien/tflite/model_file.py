"""The model file: a .tflite flatbuffer with metadata.json appended as a zip member.

The interpreter ignores what follows the flatbuffer and `zipfile` ignores what stands before the
archive, so one file is both (the convention of ultralytics). The metadata holds the SHA-256 of the
flatbuffer, and nothing else may read a flatbuffer whose hash has not been checked here first.
"""

from __future__ import annotations

import hashlib
import io
import json
import math
import struct
import zipfile
import zlib
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from mien.errors import UserError
from mien.tflite.flatbuffer import FlatbufferError
from mien.tflite.signature import check_fit, float_input
from mien.tflite.verifier import verify_model

FORMAT = 1
LABEL_COUNT = 7  # format 1 is defined with logits [1, 7]
METADATA_NAME = "metadata.json"
MAX_FILE_BYTES = 200_000_000
MAX_METADATA_BYTES = 1 << 20
MAX_DEPTH = 12  # of the metadata's nesting
MAX_TEXT, MAX_LABEL, MAX_DIGITS = 200, 40, 30  # characters
# What zipfile raises for what it cannot read. RuntimeError: encrypted.
ZIP_ERRORS = (
    *(zipfile.BadZipFile, KeyError, EOFError, OSError, ValueError, IndexError, OverflowError),
    *(RuntimeError, MemoryError, struct.error, zlib.error),
)
MODELS = Path(__file__).parents[1] / "models"
DEFAULT_MODEL = "mien"


@dataclass(frozen=True)
class Crop:
    """What is cut out around a detector's box."""

    margin: float  # fraction of the box's longer side added on EACH side; negative cuts into it
    shape: str = "square"


@dataclass(frozen=True)
class Metadata:
    """Everything the runtime knows about a model; the keys of metadata.json are these names."""

    format: int
    name: str
    version: str
    labels: tuple[str, ...]  # in the order of the logits
    input_size: int  # px, the side of the square input
    colour: str  # "gray"
    resize: str  # "area": cv2.INTER_AREA when shrinking, cv2.INTER_LINEAR when enlarging
    crop: Crop
    temperature: float  # divides the logits before the softmax
    threshold: float  # a confidence under it is read as "uncertain"
    metrics: dict[str, Any]
    training: dict[str, Any]
    licences: dict[str, Any]
    created: str  # ISO 8601, UTC
    sha256: str  # hex, of the flatbuffer

    def to_json(self) -> str:
        """Return the metadata as the JSON text that stands in the file."""
        return json.dumps(asdict(self), indent=1, ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str | bytes) -> Metadata:
        """Read and check metadata; raises ValueError with a clause that says what is wrong."""
        try:
            fields = json.loads(
                text, parse_constant=_number, parse_int=_number, parse_float=_number
            )
        except (ValueError, RecursionError) as error:  # JSON, UTF-8, numbers, nesting
            raise ValueError("its metadata is not JSON") from error
        if not isinstance(fields, dict):
            raise ValueError("its metadata is not a JSON object")
        if _is_deeper(fields, MAX_DEPTH):
            raise ValueError(f"its metadata is nested more than {MAX_DEPTH} deep")
        if fields.get("format") != FORMAT:
            raise ValueError(f"its format is {_short(fields.get('format'))}, not {FORMAT}")
        return _checked(fields)


@dataclass(frozen=True)
class Model:
    """A model file whose hash and fields have been checked."""

    path: Path
    flatbuffer: bytes  # without the appended archive
    metadata: Metadata


def load_model(path_or_name: str | Path = DEFAULT_MODEL) -> Model:
    """Read a model file, or a model that comes with mien by its name.

    Raises UserError where the file is missing, damaged, not a Mien model, or does not fit.
    """
    path = find_model(path_or_name)
    data = _read(path)
    start, text = _open_archive(data, path)
    try:
        metadata = Metadata.from_json(text)
    except ValueError as error:
        raise UserError(
            f"{path} does not fit: {error}; convert the model with this version's mien-convert."
        ) from error
    flatbuffer = data[:start]
    _check_hash(flatbuffer, metadata.sha256, path)
    check_fit(flatbuffer, metadata.input_size, len(metadata.labels), str(path))
    return Model(path, flatbuffer, metadata)


def load_flatbuffer(path: Path) -> bytes:
    """Return the flatbuffer of any model file of mien-convert, as of a face detector.

    Raises UserError where the file is missing, damaged, or holds no sound TFLite flatbuffer.
    """
    data = _read(path)
    start, text = _open_archive(data, path)
    try:
        sha256 = str(json.loads(text)["sha256"])
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"{path} has metadata without a hash; convert the network anew with mien-convert."
        ) from error
    _check_hash(data[:start], sha256, path)
    try:
        verify_model(data[:start])
    except FlatbufferError as error:
        raise UserError(
            f"{path} does not hold a sound TFLite flatbuffer ({error}); copy the file again."
        ) from error
    return data[:start]


def _read(path: Path) -> bytes:
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise UserError(
                f"{path} is larger than {MAX_FILE_BYTES // 1_000_000} MB; give a file of "
                "mien-convert."
            )
        return path.read_bytes()
    except OSError as error:
        raise UserError(
            f"{path} cannot be read ({error.strerror}); check its name and permissions."
        ) from error


def _check_hash(flatbuffer: bytes, sha256: str, path: Path) -> None:
    if hashlib.sha256(flatbuffer).hexdigest() != sha256:
        raise UserError(
            f"{path} is damaged: its content does not have the SHA-256 that its metadata states; "
            "copy it again from where it came, or convert the model anew with mien-convert."
        )


def find_model(path_or_name: str | Path) -> Path:
    """Return the file of a model given by path, or by the name of one that comes with mien."""
    text = str(path_or_name)
    shipped = MODELS / f"{text}.tflite"
    if "/" not in text and "\\" not in text and shipped.is_file():
        return shipped
    path = Path(path_or_name)
    if path.is_dir():
        raise UserError(f"{path} is a folder; name the .tflite file of the model.")
    if not path.is_file():
        names = ", ".join(sorted(file.stem for file in MODELS.glob("*.tflite"))) or "none"
        raise UserError(
            f"There is no model {text}; give the path of a .tflite file made by mien-convert, "
            f"or the name of a model that comes with mien ({names})."
        )
    return path


def is_shipped(path: Path) -> bool:
    """Return whether a model file is one that comes with mien."""
    return path.resolve().parent == MODELS.resolve()


def pack(flatbuffer: bytes, metadata: Metadata) -> bytes:
    """Return the bytes of a model file; `metadata.sha256` is filled in from the flatbuffer.

    The same arguments give the same bytes on any machine.
    """
    stamped = replace(metadata, sha256=hashlib.sha256(flatbuffer).hexdigest())
    Metadata.from_json(stamped.to_json())  # what cannot be loaded is not written
    return append_metadata(flatbuffer, stamped.to_json())


def append_metadata(flatbuffer: bytes, text: str) -> bytes:
    """Return a flatbuffer with a JSON text appended as the zip member metadata.json."""
    buffer = io.BytesIO(flatbuffer)
    with zipfile.ZipFile(buffer, "a", zipfile.ZIP_DEFLATED) as archive:
        member = zipfile.ZipInfo(METADATA_NAME, date_time=(1980, 1, 1, 0, 0, 0))
        member.compress_type = zipfile.ZIP_DEFLATED
        member.create_system = 3  # else Windows and Linux would write different bytes
        member.external_attr = 0o644 << 16
        archive.writestr(member, text)
    return buffer.getvalue()


def _open_archive(data: bytes, path: Path) -> tuple[int, bytes]:
    """Return where the flatbuffer ends and the text of metadata.json."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            start = min((member.header_offset for member in archive.infolist()), default=0)
            member = archive.getinfo(METADATA_NAME)
            if member.file_size > MAX_METADATA_BYTES:
                raise UserError(
                    f"{path} states {member.file_size} bytes of metadata where "
                    f"{MAX_METADATA_BYTES} are read at most; give a file of mien-convert."
                )
            if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                raise NotImplementedError  # others state how much memory they need
            return start, archive.read(member)
    except ZIP_ERRORS:
        if float_input(data):
            raise UserError(
                f"{path} is a float TFLite model without Mien's metadata; "
                "make an int8 model file from its model.keras with mien-convert."
            ) from None
        raise UserError(
            f"{path} carries no Mien metadata: it was cut short in copying or did not come from "
            "mien-convert; copy it again, or convert the model with mien-convert."
        ) from None


def _number(text: str) -> int | float:
    """Return a number of JSON; raises ValueError for one that no measure has."""
    if len(text) > MAX_DIGITS or not math.isfinite(float(text)):
        raise ValueError(f"{text[:20]} is not a number that can be used")
    return float(text) if any(c in text for c in ".eE") else int(text)


def _is_deeper(content: Any, depth: int) -> bool:
    level = [content]
    for _ in range(depth):
        inner: list[Any] = []
        for value in level:
            inner += value.values() if isinstance(value, dict) else value
        level = [value for value in inner if isinstance(value, (dict, list))]
        if not level:
            return False
    return True


def _is_line(text: str, length: int) -> bool:
    return 0 < len(text) <= length and text.isprintable()


def _short(value: Any) -> str:
    """Return a foreign value for a message: in ASCII, without control characters, cut short."""
    if isinstance(value, int) and abs(value) >= 10**20:
        return "a number of many digits"
    words = ascii(value)
    return words if len(words) <= 60 else f"{words[:57]}..."


def _checked(fields: dict[str, Any]) -> Metadata:
    def take(key: str, *types: type) -> Any:
        if key not in fields:
            raise ValueError(f"its metadata has no {key!r}")
        value = fields[key]
        if not isinstance(value, types) or isinstance(value, bool):
            raise ValueError(f"its metadata has {_short(value)} as {key!r}")
        if isinstance(value, str) and not _is_line(value, MAX_TEXT):
            raise ValueError(f"its {key} is not a line of printable text")
        return value

    def number(key: str, low: float, high: float) -> float:
        value = take(key, int, float)
        if not low <= value <= high:
            raise ValueError(f"its {key} is {_short(value)}, outside {low} to {high}")
        return float(value)

    labels = take("labels", list)
    if len(labels) != LABEL_COUNT:
        raise ValueError(f"it has {len(labels)} labels where the format has {LABEL_COUNT}")
    if not all(isinstance(label, str) and _is_line(label, MAX_LABEL) for label in labels) or (
        len(set(labels)) != len(labels)
    ):
        raise ValueError(f"its labels are not {LABEL_COUNT} different words")
    crop = take("crop", dict)
    margin = crop.get("margin")
    if not isinstance(margin, (int, float)) or not -0.5 < margin <= 2:
        raise ValueError(f"its crop margin is {_short(margin)}")
    for key, value, known in (
        ("colour", take("colour", str), "gray"),
        ("resize", take("resize", str), "area"),
        ("crop shape", crop.get("shape"), "square"),
    ):
        if value != known:
            raise ValueError(f"its {key} is {_short(value)} and this mien knows only {known!r}")
    size = take("input_size", int)
    if not 1 <= size <= 1024:
        raise ValueError(f"its input size is {_short(size)} px")
    return Metadata(
        format=FORMAT,
        name=take("name", str),
        version=take("version", str),
        labels=tuple(labels),
        input_size=size,
        colour="gray",
        resize="area",
        crop=Crop(float(margin), "square"),
        temperature=number("temperature", 1e-3, 1e3),
        threshold=number("threshold", 0.0, 1.0),
        metrics=take("metrics", dict),
        training=take("training", dict),
        licences=take("licences", dict),
        created=take("created", str),
        sha256=take("sha256", str),
    )
