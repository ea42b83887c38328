"""Lists the pictures of a FER-2013 zip, folder or csv; reading each is left to the caller."""

from __future__ import annotations

import csv
import re
import warnings
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TextIO

import cv2
import numpy as np
from mien.errors import UserError
from numpy.typing import NDArray
from tqdm import tqdm

from mien_train.data.labels import CSV_LABELS, LABELS

SIDE = 48  # pixels

# The archive's test folder holds two splits that only the file names tell apart.
_SPLIT_OF_PREFIX = {"Training": "train", "PublicTest": "validation", "PrivateTest": "test"}
_SPLIT_OF_FOLDER = {
    "train": "train",
    "validation": "validation",
    "val": "validation",
    "test": "test",
}
# Some re-uploads name three classes by the adjective.
_INDEX_OF_FOLDER = {name: index for index, name in enumerate(LABELS)}
_INDEX_OF_FOLDER |= {
    f"{name}{ending}": index
    for index, name, ending in ((1, "disgust", "ed"), (2, "fear", "ful"), (6, "surprise", "d"))
}
_INDEX_OF_EMOTION = {str(i): LABELS.index(name) for i, name in enumerate(CSV_LABELS)}
# A 48x48 JPEG has 1.5 kB; what is far larger is not one, and may be a zip bomb.
_MAX_BYTES = 1 << 20
_UNREADABLE = (OSError, RuntimeError, EOFError, zipfile.BadZipFile, zlib.error)
LAYOUT = "train/<class>/ and test/<class>/ with the classes " + ", ".join(LABELS)


@dataclass(frozen=True)
class Problem:
    """A file that was skipped, and why."""

    name: str
    reason: str


@dataclass(frozen=True)
class Entry:
    """One picture that has not been read yet."""

    name: str
    label: int
    split: str
    read: Callable[[], NDArray[np.uint8]]  # raises ValueError with the reason to skip it


def refuse_outside(path: Path, member: str) -> None:
    """Raise UserError where an archive's member would leave the folder it is unpacked into."""
    name = member.replace("\\", "/")
    if name.startswith("/") or re.match(r"[A-Za-z]:", name) or ".." in name.split("/"):
        raise UserError(
            f"{path} holds a member named '{member}' that points outside of the archive; "
            "do not unpack it, download FER-2013 again."
        )


def place(name: str) -> tuple[str, str] | None:
    """(folder, class folder) of ".../train/angry/x.jpg", None for a name of another form."""
    parts = name.replace("\\", "/").split("/")
    if len(parts) < 3 or parts[0] == "__MACOSX" or parts[-1].startswith("."):
        return None
    folder, label = parts[-3].lower(), parts[-2].lower()
    return (folder, label) if folder in _SPLIT_OF_FOLDER else None


def folder_files(path: Path) -> Iterator[tuple[str, Callable[[], bytes]]]:
    """(name relative to `path`, a function that reads it) of every file of the layout."""
    # The layout here or in a folder inside, and no deeper, so that a wrong path ends at once.
    for base in (path, *sorted(child for child in path.iterdir() if child.is_dir())):
        for folder in base.iterdir():
            if folder.name.lower() in _SPLIT_OF_FOLDER and folder.is_dir():
                for file in folder.glob("*/*"):
                    name = file.relative_to(path).as_posix()
                    if place(name) and file.is_file():
                        yield name, partial(_read_file, file)


def _read_file(file: Path) -> bytes:
    if file.stat().st_size > _MAX_BYTES:
        raise ValueError("larger than 1 MB")
    return file.read_bytes()


def zip_files(
    archive: zipfile.ZipFile, members: list[zipfile.ZipInfo]
) -> Iterator[tuple[str, Callable[[], bytes]]]:
    """(name, a function that reads it) of every file of the layout, however deep it lies."""
    for member in members:
        if place(member.filename):
            yield member.filename.replace("\\", "/"), partial(_read_member, archive, member)


def _read_member(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> bytes:
    if member.file_size > _MAX_BYTES:
        raise ValueError("larger than 1 MB")
    return archive.read(member)


def list_files(
    path: Path, files: Iterable[tuple[str, Callable[[], bytes]]]
) -> tuple[list[Entry], list[Problem]]:
    """The pictures among the files of a layout. Raises UserError where there is none."""
    entries, problems = [], []
    for name, read in files:
        folder, label_folder = place(name) or ("", "")
        short = "/".join(name.split("/")[-3:])
        label = _INDEX_OF_FOLDER.get(label_folder)
        if label is None:
            problems.append(Problem(short, "its folder is none of the seven classes"))
            continue
        prefix = name.split("/")[-1].split("_")[0]
        split = _SPLIT_OF_PREFIX.get(prefix, _SPLIT_OF_FOLDER[folder])
        entries.append(Entry(short, label, split, partial(_decode, read)))
    if not entries:
        raise UserError(f"{path} holds no FER-2013 pictures; it must hold {LAYOUT}.")
    return entries, problems


def _decode(read: Callable[[], bytes]) -> NDArray[np.uint8]:
    try:
        data = read()
    except _UNREADABLE as error:
        raise ValueError(f"cannot be read: {error}") from error
    if not data:
        raise ValueError("empty file")
    # libjpeg fills up what is cut off with gray and only grumbles on stderr.
    if data.startswith(b"\xff\xd8") and b"\xff\xd9" not in data[2:]:
        raise ValueError("JPEG is cut off")
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_GRAYSCALE)
    except cv2.error:
        image = None
    if image is None:
        raise ValueError("not a picture")
    return np.asarray(image, dtype=np.uint8)


def list_rows(path: Path, file: TextIO) -> tuple[list[Entry], list[Problem]]:
    """The rows of fer2013.csv. Raises UserError where it has other columns or no good row."""
    reader = csv.reader(file)
    head = [column.strip().lower() for column in next(reader, [])]
    missing = [name for name in ("emotion", "pixels", "usage") if name not in head]
    if missing:
        raise UserError(
            f"{path} has no column {' and no column '.join(missing)}; "
            "give fer2013.csv with the columns emotion, pixels, Usage."
        )
    emotion, pixels, usage = (head.index(name) for name in ("emotion", "pixels", "usage"))
    entries, problems = [], []
    rows = tqdm(enumerate(_rows(reader)), desc=f"reading {path.name}", disable=None, leave=False)
    for number, row in rows:
        try:
            label = _INDEX_OF_EMOTION[row[emotion].strip()]
            split = _SPLIT_OF_PREFIX[row[usage].strip()]
            image = _numbers(row[pixels])
        except (ValueError, IndexError, KeyError):
            problems.append(Problem(f"row {number}", "emotion, pixels or Usage makes no sense"))
            continue
        folder = "train" if split == "train" else "test"
        name = f"{folder}/{LABELS[label]}/row{number:05d}.png"
        square = image.reshape(SIDE, SIDE) if image.size == SIDE * SIDE else image[None]
        entries.append(Entry(name, label, split, partial(np.asarray, square)))
    if not entries:
        raise UserError(f"{path} holds no FER-2013 rows; download fer2013.csv again.")
    return entries, problems


def _numbers(text: str) -> NDArray[np.uint8]:
    """The pixels of a row. Raises ValueError where they are not numbers from 0 to 255."""
    with warnings.catch_warnings():
        # NumPy only warns of text that is no number, for now.
        warnings.simplefilter("error")
        try:
            # Five times as fast as int() of every number: 36,000 rows in seconds.
            values = np.fromstring(text, dtype=np.int64, sep=" ")
        except DeprecationWarning as error:
            raise ValueError("not numbers") from error
    if values.size and not 0 <= values.min() <= values.max() <= 255:
        raise ValueError("not gray levels")
    return values.astype(np.uint8)


def _rows(reader: Iterator[list[str]]) -> Iterator[list[str]]:
    """The rows, an empty one in place of each that the csv module refuses."""
    while True:
        try:
            yield next(reader)
        except csv.Error:
            yield []
        except StopIteration:
            return
