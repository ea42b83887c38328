"""Reads FER-2013 into memory: the Kaggle zip as downloaded, its folder, or fer2013.csv.

data = load("fer2013.zip")
train = data.select(data.splits == "train")
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from mien.errors import UserError
from mien.evaluation.archive import FileArchive
from mien.evaluation.dataset import LabelledFile, Listing, list_all
from numpy.typing import NDArray
from tqdm import tqdm

from mien_train.data.labels import LABELS

SPLITS = ("train", "validation", "test")
SIDE = 48  # px
LAYOUT = "train/<class>/ and test/<class>/ with the classes " + ", ".join(LABELS)

# The archive's test folder holds two splits that only the file names tell apart.
_SPLIT_OF_USAGE = {"Training": "train", "PublicTest": "validation", "PrivateTest": "test"}
_SPLIT_OF_FOLDER = {
    "train": "train",
    "validation": "validation",
    "val": "validation",
    "test": "test",
}


@dataclass(frozen=True)
class Problem:
    """A file that was skipped, and why."""

    name: str
    reason: str


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


@dataclass(frozen=True)
class _Entry:
    """A picture of a split that has not been read yet."""

    name: str
    split: str
    file: LabelledFile


def load(path: str | Path) -> Dataset:
    """Read a FER-2013 zip, a folder of the same layout, or fer2013.csv (columns emotion, pixels,
    Usage; also inside a zip).

    `mien eval` reads the same files by the same reader, `mien.evaluation.dataset`. Files that
    cannot be read or are not 48x48 are skipped and listed in `problems`. The order is that of the
    sorted names, so it depends neither on the file system nor on the archive.

    Raises:
        UserError: the path is missing or empty or something else, a class is missing, or an
            archive member points outside of the archive.
    """
    path = Path(path)
    listing = list_all(path, LABELS)
    entries, problems = _entries(listing)
    if not entries:
        raise UserError(f"{path} holds no FER-2013 pictures; it must hold {LAYOUT}.")
    _require_classes(path, entries)
    with listing.open() as archive:
        return _collect(listing, archive, entries, problems)


def _entries(listing: Listing) -> tuple[list[_Entry], list[Problem]]:
    """Return the pictures of the splits under their short names, and what cannot be used."""
    entries = []
    problems = [Problem(name, reason) for name, reason in listing.bad_rows]
    for file in listing.files:
        label = LABELS[file.label]
        if file.usage is not None:
            split = _SPLIT_OF_USAGE[file.usage]
            folder, name = "train" if split == "train" else "test", f"{file.name}.png"
        else:
            parts = file.name.split("/")
            folder, name = parts[-3].lower() if len(parts) > 2 else "", parts[-1]
            if folder not in _SPLIT_OF_FOLDER:
                continue
            split = _SPLIT_OF_USAGE.get(name.split("_")[0], _SPLIT_OF_FOLDER[folder])
        entries.append(_Entry(f"{folder}/{label}/{name}", split, file))
    for name in listing.unlabelled:
        parts = name.split("/")
        if len(parts) > 2 and parts[-3].lower() in _SPLIT_OF_FOLDER:
            short = "/".join(parts[-3:])
            problems.append(Problem(short, "its folder is none of the seven classes"))
    return entries, problems


def digest(image: NDArray[np.uint8]) -> str:
    """SHA-256 (hex) of the pixel bytes of one face, uint8 [48, 48]."""
    return hashlib.sha256(np.ascontiguousarray(image).tobytes()).hexdigest()


def _require_classes(path: Path, entries: list[_Entry]) -> None:
    for folder in sorted({entry.name.split("/")[0] for entry in entries}):
        found = {entry.file.label for entry in entries if entry.name.split("/")[0] == folder}
        missing = [name for index, name in enumerate(LABELS) if index not in found]
        if missing:
            raise UserError(
                f"{path} has no pictures in {', '.join(f'{folder}/{name}' for name in missing)}; "
                f"it must hold {LAYOUT}."
            )


def _collect(
    listing: Listing, archive: FileArchive | None, entries: list[_Entry], problems: list[Problem]
) -> Dataset:
    path = listing.path
    entries = sorted(entries, key=lambda entry: entry.name)
    images = np.empty((len(entries), SIDE, SIDE), np.uint8)
    kept: list[_Entry] = []
    for entry in tqdm(entries, desc=f"reading {path.name}", disable=None, leave=False):
        if kept and kept[-1].name == entry.name:
            problems.append(Problem(entry.name, "the same name occurs twice"))
            continue
        try:
            image = listing.read(archive, entry.file)
        except UserError as error:
            reason = str(error).removeprefix(f"{entry.file.name} ").rstrip(".")
            problems.append(Problem(entry.name, reason))
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
        labels=np.array([entry.file.label for entry in kept], np.int64),
        splits=np.array([entry.split for entry in kept]),
        sha256=[digest(image) for image in images],
        problems=sorted(problems, key=lambda problem: problem.name),
    )
