"""The model file: a .tflite flatbuffer with metadata.json appended as a zip member.

The interpreter ignores what follows the flatbuffer and `zipfile` ignores what stands before the
archive, so one file is both (the convention of ultralytics). The metadata holds the SHA-256 of the
flatbuffer, and nothing else may read a flatbuffer whose hash has not been checked here first.
"""

from __future__ import annotations

import hashlib
import io
import json
import struct
import zipfile
import zlib
from dataclasses import dataclass, replace
from pathlib import Path

from mien.errors import UserError
from mien.tflite import minisign
from mien.tflite.flatbuffer import FlatbufferError
from mien.tflite.metadata import Metadata
from mien.tflite.model_store import installed_model
from mien.tflite.signature import check_fit, float_input
from mien.tflite.verifier import verify_model

METADATA_NAME = "metadata.json"
MAX_FILE_BYTES = 200_000_000
MAX_METADATA_BYTES = 1 << 20
# What zipfile raises for what it cannot read. RuntimeError: encrypted.
ZIP_ERRORS = (
    *(zipfile.BadZipFile, KeyError, EOFError, OSError, ValueError, IndexError, OverflowError),
    *(RuntimeError, MemoryError, struct.error, zlib.error),
)
MODELS = Path(__file__).parents[1] / "models"
DEFAULT_MODEL = "mien"


@dataclass(frozen=True)
class Model:
    """A model file whose hash and fields have been checked."""

    path: Path
    flatbuffer: bytes  # without the appended archive
    metadata: Metadata


def load_model(
    path_or_name: str | Path = DEFAULT_MODEL, key: minisign.PublicKey | None = None
) -> Model:
    """Read a model file, or a bundled model by its name; the installed one takes the default's.

    With `key` a file that did not come with mien must be signed by it. Raises UserError where the
    file is missing, damaged, not a Mien model, not signed, or does not fit.
    """
    path = find_model(path_or_name)
    return parse_model(read_file(path), path, key)


def parse_model(data: bytes, path: Path, key: minisign.PublicKey | None = None) -> Model:
    """Return the model of a file's bytes; `path` names it, and raises as `load_model` does."""
    if key is not None and not is_shipped(path):
        minisign.verify(data, path, key)
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
    data = read_file(path)
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


def read_file(path: Path) -> bytes:
    """Return the bytes of a model file; raises UserError where it is too large or unreadable."""
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
    """Return the file of a model given by path, or by the name of one that comes with mien.

    A model of `mien model install` takes the place of the default one.
    """
    text = str(path_or_name)
    installed = installed_model() if text == DEFAULT_MODEL else None
    if installed is not None:
        return installed
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
