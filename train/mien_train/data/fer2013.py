"""Reads FER-2013 into memory: the Kaggle zip as downloaded, its folder, or fer2013.csv.

data = load("fer2013.zip")
train = data.select(data.splits == "train")
"""

from __future__ import annotations

import hashlib
import io
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TextIO

import numpy as np
from mien.errors import UserError
from numpy.typing import NDArray
from tqdm import tqdm

from mien_train.data.fer2013_files import (
    LAYOUT,
    SIDE,
    Entry,
    Problem,
    folder_files,
    list_files,
    list_rows,
    place,
    refuse_outside,
    zip_files,
)
from mien_train.data.labels import LABELS

SPLITS = ("train", "validation", "test")


@dataclass(frozen=True)
class Dataset:
    """Faces with labels, in the sorted order of their names."""

    names: list[str]  # "train/angry/Training_123.jpg"; "train/angry/row00123.png" of a csv
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
    if not path.exists():
        raise UserError(
            f"there is no {path}; give the FER-2013 zip, its unpacked folder or fer2013.csv."
        )
    try:
        if path.is_dir():
            return _collect(path, *list_files(path, folder_files(path)))
        if path.suffix.lower() == ".csv":
            with path.open("rb") as raw:
                return _collect(path, *list_rows(path, _text(raw)))
        with zipfile.ZipFile(path) as archive:
            return _load_zip(path, archive)
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}; check the path.") from error
    except zipfile.BadZipFile as error:
        raise UserError(
            f"{path} is neither a complete zip nor a .csv file; download FER-2013 again."
        ) from error


def _load_zip(path: Path, archive: zipfile.ZipFile) -> Dataset:
    members = [member for member in archive.infolist() if not member.is_dir()]
    for member in members:
        refuse_outside(path, member.filename)
    tables = [member for member in members if member.filename.lower().endswith(".csv")]
    if len(tables) == 1 and not any(place(member.filename) for member in members):
        with archive.open(tables[0]) as raw:
            return _collect(path, *list_rows(path, _text(raw)))
    return _collect(path, *list_files(path, zip_files(archive, members)))


def _text(raw: IO[bytes]) -> TextIO:
    return io.TextIOWrapper(raw, encoding="utf-8-sig", errors="replace", newline="")


def digest(image: NDArray[np.uint8]) -> str:
    """SHA-256 (hex) of the pixel bytes of one face, uint8 [48, 48]."""
    return hashlib.sha256(np.ascontiguousarray(image).tobytes()).hexdigest()


def _require_classes(path: Path, entries: list[Entry]) -> None:
    for folder in sorted({entry.name.split("/")[0] for entry in entries}):
        found = {entry.label for entry in entries if entry.name.split("/")[0] == folder}
        missing = [name for index, name in enumerate(LABELS) if index not in found]
        if missing:
            raise UserError(
                f"{path} has no pictures in {', '.join(f'{folder}/{name}' for name in missing)}; "
                f"it must hold {LAYOUT}."
            )


def _collect(path: Path, entries: list[Entry], problems: list[Problem]) -> Dataset:
    _require_classes(path, entries)
    entries = sorted(entries, key=lambda entry: entry.name)
    images = np.empty((len(entries), SIDE, SIDE), np.uint8)
    kept: list[Entry] = []
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
        raise UserError(f"{path} holds no readable 48x48 picture; download FER-2013 again.")
    images = images[: len(kept)]
    return Dataset(
        names=[entry.name for entry in kept],
        images=images,
        labels=np.array([entry.label for entry in kept], np.int64),
        splits=np.array([entry.split for entry in kept]),
        sha256=[digest(image) for image in images],
        problems=sorted(problems, key=lambda problem: problem.name),
    )
