"""Reads FER-2013 into memory: the Kaggle zip as downloaded, its folder, or fer2013.csv.

data = load("fer2013.zip")
train = data.select(data.splits == "train")
"""

from __future__ import annotations

import csv
import hashlib
import io
import re
import zipfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

import cv2
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from train.errors import UserError
from train.labels import CSV_LABELS, LABELS

SIDE = 48  # pixels
SPLITS = ("train", "validation", "test")

# The archive's test folder holds two splits that only the file names tell apart.
_SPLIT_OF_PREFIX = {"Training": "train", "PublicTest": "validation", "PrivateTest": "test"}
_SPLIT_OF_FOLDER = {"train": "train", "validation": "validation", "val": "validation"}
_SPLIT_OF_FOLDER["test"] = "test"
# Some re-uploads name three classes by the adjective.
_INDEX_OF_FOLDER = {name: index for index, name in enumerate(LABELS)}
_INDEX_OF_FOLDER |= {
    f"{name}{ending}": index
    for index, name, ending in ((1, "disgust", "ed"), (2, "fear", "ful"), (6, "surprise", "d"))
}
# A 48x48 JPEG has 1.5 kB; what is far larger is not one, and may be a zip bomb.
_MAX_BYTES = 1 << 20
_LAYOUT = "train/<class>/ and test/<class>/ with the classes " + ", ".join(LABELS)


@dataclass(frozen=True)
class Problem:
    """A file that was skipped, and why."""

    name: str
    reason: str


@dataclass(frozen=True)
class Dataset:
    """Faces with labels, in the sorted order of their names."""

    names: list[str]  # "train/angry/Training_123.jpg"; "train/angry/fer0000123.png" of a csv row
    images: NDArray[np.uint8]  # [n, 48, 48] gray
    labels: NDArray[np.int64]  # [n], index into LABELS
    splits: NDArray[np.str_]  # [n], "train", "validation" (PublicTest) or "test" (PrivateTest)
    sha256: list[str]  # hex, of the 48 * 48 pixel bytes
    problems: list[Problem]  # files that were skipped

    def __len__(self) -> int:
        return len(self.names)

    def select(self, which: NDArray[np.bool_] | NDArray[np.int64]) -> Dataset:
        """The images of a mask bool [n], or of indices int [m] in their order."""
        index = np.arange(len(self))[which]
        return Dataset(
            names=[self.names[i] for i in index],
            images=self.images[index],
            labels=self.labels[index],
            splits=self.splits[index],
            sha256=[self.sha256[i] for i in index],
            problems=self.problems,
        )


@dataclass(frozen=True)
class _Entry:
    """One picture that has not been read yet."""

    name: str
    label: int
    split: str
    read: Callable[[], NDArray[np.uint8]]  # raises ValueError with the reason to skip it


def load(path: str | Path) -> Dataset:
    """Read a FER-2013 zip, a folder of the same layout, or fer2013.csv (columns emotion, pixels,
    Usage; also alone inside a zip).

    Files that cannot be read or are not 48x48 are skipped and listed in `problems`. The order is
    that of the sorted names, so it depends neither on the file system nor on the archive.

    Raises:
        UserError: the path is missing or empty or something else, a class is missing, or an
            archive member points outside of the archive.
    """
    path = Path(path)
    if path.is_dir():
        return _collect(path, *_list_files(path, _folder_files(path)))
    if not path.exists():
        raise UserError(
            f"there is no {path}; give the FER-2013 zip, its unpacked folder or fer2013.csv"
        )
    if path.suffix.lower() == ".csv":
        try:
            with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
                return _collect(path, *_list_rows(path, file))
        except OSError as error:
            raise UserError(f"{path} cannot be read: {error.strerror}; check the file") from error
    if not zipfile.is_zipfile(path):
        raise UserError(
            f"{path} is neither a complete zip nor a .csv file; download FER-2013 again"
        )
    with zipfile.ZipFile(path) as archive:
        members = [member for member in archive.infolist() if not member.is_dir()]
        for member in members:
            _refuse_outside(path, member.filename)
        tables = [member for member in members if member.filename.lower().endswith(".csv")]
        if len(tables) == 1 and not any(_place(member.filename) for member in members):
            with archive.open(tables[0]) as raw:
                text = io.TextIOWrapper(raw, encoding="utf-8-sig", errors="replace", newline="")
                return _collect(path, *_list_rows(path, text))
        return _collect(path, *_list_files(path, _zip_files(archive, members)))


def digest(image: NDArray[np.uint8]) -> str:
    """SHA-256 (hex) of the pixel bytes of one face, uint8 [48, 48]."""
    return hashlib.sha256(np.ascontiguousarray(image).tobytes()).hexdigest()


def _refuse_outside(path: Path, member: str) -> None:
    name = member.replace("\\", "/")
    if name.startswith("/") or re.match(r"[A-Za-z]:", name) or ".." in name.split("/"):
        raise UserError(
            f"{path} holds a member named '{member}' that points outside of the archive; "
            "do not unpack it, download FER-2013 again"
        )


def _place(name: str) -> tuple[str, str] | None:
    """(folder, class folder) of ".../train/angry/x.jpg", None for a name of another form."""
    parts = name.replace("\\", "/").split("/")
    if len(parts) < 3 or parts[0] == "__MACOSX" or parts[-1].startswith("."):
        return None
    folder, label = parts[-3].lower(), parts[-2].lower()
    return (folder, label) if folder in _SPLIT_OF_FOLDER else None


def _folder_files(path: Path) -> Iterator[tuple[str, Callable[[], bytes]]]:
    # Only the depth of the layout, or one folder around it, so that a wrong path ends at once.
    for pattern in ("*/*/*", "*/*/*/*"):
        for file in path.glob(pattern):
            name = file.relative_to(path).as_posix()
            if _place(name) and file.is_file():
                yield name, lambda file=file: _read_file(file)  # type: ignore[misc]


def _read_file(file: Path) -> bytes:
    if file.stat().st_size > _MAX_BYTES:
        raise ValueError("larger than 1 MB")
    return file.read_bytes()


def _zip_files(
    archive: zipfile.ZipFile, members: list[zipfile.ZipInfo]
) -> Iterator[tuple[str, Callable[[], bytes]]]:
    for member in members:
        if _place(member.filename):
            yield (
                member.filename.replace("\\", "/"),
                lambda member=member: _read_member(archive, member),  # type: ignore[misc]
            )


def _read_member(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> bytes:
    if member.file_size > _MAX_BYTES:
        raise ValueError("larger than 1 MB")
    return archive.read(member)


def _list_files(
    path: Path, files: Iterable[tuple[str, Callable[[], bytes]]]
) -> tuple[list[_Entry], list[Problem]]:
    entries, problems = [], []
    for name, read in files:
        folder, label_folder = _place(name) or ("", "")
        short = "/".join(name.split("/")[-3:])
        label = _INDEX_OF_FOLDER.get(label_folder)
        if label is None:
            problems.append(Problem(short, "its folder is none of the seven classes"))
            continue
        prefix = name.split("/")[-1].split("_")[0]
        split = _SPLIT_OF_PREFIX.get(prefix, _SPLIT_OF_FOLDER[folder])
        entries.append(_Entry(short, label, split, lambda read=read: _decode(read)))  # type: ignore[misc]
    if not entries:
        raise UserError(f"{path} holds no FER-2013 pictures; it must hold {_LAYOUT}")
    return entries, problems


def _decode(read: Callable[[], bytes]) -> NDArray[np.uint8]:
    try:
        data = read()
    except (OSError, RuntimeError, NotImplementedError, zipfile.BadZipFile, EOFError) as error:
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


def _list_rows(path: Path, file: TextIO) -> tuple[list[_Entry], list[Problem]]:
    reader = csv.reader(file)
    head = [column.strip().lower() for column in next(reader, [])]
    missing = [name for name in ("emotion", "pixels", "usage") if name not in head]
    if missing:
        raise UserError(
            f"{path} has no column {' and no column '.join(missing)}; "
            "give fer2013.csv with the columns emotion, pixels, Usage"
        )
    emotion, pixels, usage = (head.index(name) for name in ("emotion", "pixels", "usage"))
    entries, problems = [], []
    rows = tqdm(enumerate(_rows(reader)), desc=f"reading {path.name}", disable=None, leave=False)
    for number, row in rows:
        try:
            label = LABELS.index(CSV_LABELS[int(row[emotion])])
            split = _SPLIT_OF_PREFIX[row[usage].strip()]
            image = np.frombuffer(bytes(map(int, row[pixels].split())), np.uint8)
        except (ValueError, IndexError, KeyError):
            problems.append(Problem(f"row {number}", "emotion, pixels or Usage makes no sense"))
            continue
        folder = "train" if split == "train" else "test"
        # FER+ names row 12 of fer2013.csv so.
        name = f"{folder}/{LABELS[label]}/fer{number:07d}.png"
        square = image.reshape(SIDE, SIDE) if image.size == SIDE * SIDE else image[None]
        entries.append(_Entry(name, label, split, lambda square=square: square))  # type: ignore[misc]
    if not entries:
        raise UserError(f"{path} holds no FER-2013 rows; download fer2013.csv again")
    return entries, problems


def _rows(reader: Iterator[list[str]]) -> Iterator[list[str]]:
    """The rows, an empty one in place of each that the csv module refuses."""
    while True:
        try:
            yield next(reader)
        except csv.Error:
            yield []
        except StopIteration:
            return


def _require_classes(path: Path, entries: list[_Entry]) -> None:
    for folder in sorted({entry.name.split("/")[0] for entry in entries}):
        found = {entry.label for entry in entries if entry.name.split("/")[0] == folder}
        missing = [name for index, name in enumerate(LABELS) if index not in found]
        if missing:
            raise UserError(
                f"{path} has no pictures in {', '.join(f'{folder}/{name}' for name in missing)}; "
                f"it must hold {_LAYOUT}"
            )


def _collect(path: Path, entries: list[_Entry], problems: list[Problem]) -> Dataset:
    _require_classes(path, entries)
    entries = sorted(entries, key=lambda entry: entry.name)
    images = np.empty((len(entries), SIDE, SIDE), np.uint8)
    kept: list[_Entry] = []
    for entry in tqdm(entries, desc=f"reading {path.name}", disable=None, leave=False):
        if kept and kept[-1].name == entry.name:
            problems.append(Problem(entry.name, "the same name occurs twice"))
            continue
        try:
            image = entry.read()
        except ValueError as error:
            problems.append(Problem(entry.name, str(error)))
            continue
        if image.shape != (SIDE, SIDE):
            size = "x".join(str(side) for side in image.shape[::-1])
            problems.append(Problem(entry.name, f"is {size}, not {SIDE}x{SIDE} pixels"))
            continue
        images[len(kept)] = image
        kept.append(entry)
    if not kept:
        raise UserError(f"{path} holds no readable 48x48 picture; download FER-2013 again")
    images = images[: len(kept)]
    return Dataset(
        names=[entry.name for entry in kept],
        images=images,
        labels=np.array([entry.label for entry in kept], np.int64),
        splits=np.array([entry.split for entry in kept]),
        sha256=[digest(image) for image in images],
        problems=sorted(problems, key=lambda problem: problem.name),
    )
