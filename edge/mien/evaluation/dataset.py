"""Labelled faces for evaluation and training: class folders in a folder or zip, or FER-2013's csv.

The class folders may stand at the top (`happy/1.jpg`) or one level down, in a folder for each split
(`train/happy/1.jpg`); folders around all of it are looked through. FER-2013's Kaggle archive keeps
two splits in one folder, told apart by the file name (`PublicTest_1.jpg`, `PrivateTest_1.jpg`), so
what stands before the first "_" is a split too. Of a csv the splits are its Usage. A zip that holds
such a csv, as the competition's own, is read as the csv.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import numpy as np
import numpy.typing as npt

from mien.errors import UserError
from mien.evaluation.archive import ZIP_ERRORS, FileArchive
from mien.evaluation.classes import class_index
from mien.evaluation.fer2013_csv import has_columns, read_rows
from mien.image import MAX_PIXELS, SUFFIXES, decode_image

# What is read where several splits stand side by side and none is named: first of all the one on
# which the metrics in a model's file were measured.
PREFERRED = ("publictest", "test", "validation", "val")
JPEG, JPEG_END = b"\xff\xd8", b"\xff\xd9"

Gray = npt.NDArray[np.uint8]
LabelledFace = tuple[str, int, Gray]  # name, label's index, gray [h, w]


@dataclass(frozen=True)
class LabelledFile:
    """A face that has not been decoded yet."""

    name: str  # path inside the data, "test/happy/PublicTest_1.jpg"; "row00003" of a csv
    label: int
    usage: str | None = None  # of a csv: "Training", "PublicTest" or "PrivateTest"
    gray: Gray | None = field(default=None, compare=False)  # of a csv: the pixels


@dataclass(frozen=True)
class Listing:
    """Everything of a data set that has a label."""

    path: Path
    files: tuple[LabelledFile, ...]
    unlabelled: tuple[str, ...] = ()  # pictures whose folder is not a class
    bad_rows: tuple[tuple[str, str], ...] = ()  # name and what is wrong, of a csv

    def read(self, archive: FileArchive | None, file: LabelledFile) -> Gray:
        """Return a face; raises UserError, whose sentence begins with the file's name."""
        if file.gray is not None:
            return file.gray
        assert archive is not None
        data = archive.read(file.name)
        # libjpeg fills up what is cut off with gray and only grumbles on stderr.
        if data.startswith(JPEG) and JPEG_END not in data[2:]:
            raise UserError(f"{file.name} is cut off; copy it again.")
        return decode_image(data, file.name, MAX_PIXELS, want_color=False).gray

    def open(self) -> AbstractContextManager[FileArchive | None]:
        """Open what `read` needs: nothing for a csv, whose pixels are here."""
        if any(file.gray is not None for file in self.files):
            return nullcontext()
        return FileArchive(self.path)


@dataclass(frozen=True)
class LabelledImages:
    """The faces of one split, listed and not yet read."""

    listing: Listing
    split: str | None  # None where the data has no splits
    others: tuple[str, ...]  # names of what could be read instead
    ignored: tuple[str, ...]  # names of folders that are not a class
    files: tuple[LabelledFile, ...]

    def __len__(self) -> int:
        """Return how many faces there are."""
        return len(self.files)

    @property
    def path(self) -> Path:
        """The folder, zip or csv."""
        return self.listing.path

    @property
    def members(self) -> tuple[tuple[str, int], ...]:
        """Name and label's index of every face."""
        return tuple((file.name, file.label) for file in self.files)

    def faces(self, skipped: Callable[[str], None] | None = None) -> Iterator[LabelledFace]:
        """Read the faces one by one.

        A face that cannot be read raises UserError; where `skipped` is given, that is called with
        the sentence instead and the reading goes on.
        """
        with self.listing.open() as archive:
            for file in self.files:
                try:
                    gray = self.listing.read(archive, file)
                except UserError as error:
                    sentence = f"{self.path}/{error}"
                    if skipped is None:
                        raise UserError(sentence) from error
                    skipped(sentence)
                    continue
                yield file.name, file.label, gray


def list_faces(path: str | Path, labels: Sequence[str], split: str | None = None) -> LabelledImages:
    """List the faces of one split; `labels` are the classes in order.

    `split` is the name of a folder above the class folders or the beginning of file names up to
    "_", capitals or not. Without it the only split is taken, or the first there is of PublicTest,
    test, validation; raises UserError where that does not decide, and as `list_all` does.
    """
    listing = list_all(path, labels)
    ignored = sorted({name.rpartition("/")[0] or "the top folder" for name in listing.unlabelled})
    chosen, files, others = _choose(listing.path, _splits(listing.files), split)
    _check_classes(listing.path, chosen, files, labels)
    ordered = tuple(sorted(files, key=lambda file: file.name))
    return LabelledImages(listing, chosen, others, tuple(ignored), ordered)


def list_all(path: str | Path, labels: Sequence[str]) -> Listing:
    """List the faces of all splits; `labels` are the classes in order.

    Class folders may also be called by synonyms ("happiness") or FER-2013's numbers. Raises
    UserError where the path is missing, is not a complete zip, has an unsafe name in it, or holds
    no picture in a class folder.
    """
    path = Path(path)
    if path.suffix.lower() == ".csv" and path.is_file():
        try:
            with path.open("rb") as file:
                return _list_rows(path, path.name, file, labels)
        except OSError as error:
            raise UserError(f"{path} cannot be read ({error.strerror}).") from error
    with FileArchive(path) as archive:
        pictures = [name for name in archive.names if _is_picture(name)]
        found: list[LabelledFile] = []
        unlabelled = []
        for name in pictures:
            parts = name.split("/")
            label = class_index(parts[-2], labels) if len(parts) > 1 else None
            if label is None:
                unlabelled.append(name)
            else:
                found.append(LabelledFile(name, label))
        table = None if found else _find_csv(archive)
        if table is not None:
            with archive.stream(table) as rows:
                return _list_rows(path, table, rows, labels)
    if not pictures:
        raise UserError(
            f"{path} holds no pictures; give a folder or zip with a folder of them for each class: "
            f"{', '.join(labels)}, or fer2013.csv."
        )
    if not found:
        raise UserError(
            f"{path} has none of the class folders {', '.join(labels)}, neither at the top nor in "
            "folders of splits; put each picture into the folder of its class."
        )
    return Listing(path, tuple(found), tuple(unlabelled))


def _find_csv(archive: FileArchive) -> str | None:
    """Return the largest csv with the columns of FER-2013; the competition's zip has several."""
    tables = [name for name in archive.names if name.lower().endswith(".csv")]
    for name in sorted(tables, key=lambda name: -archive.size(name)):
        with archive.stream(name) as file:
            if has_columns(file):
                return name
    return None


def _list_rows(path: Path, name: str, file: IO[bytes], labels: Sequence[str]) -> Listing:
    files, bad = [], []
    where = path if path.name == name else f"{path}/{name}"
    try:
        for row in read_rows(file, where, labels):
            title = f"row{row.number:05d}"
            if row.label is None or row.gray is None:
                bad.append((title, row.problem))
            else:
                files.append(LabelledFile(title, row.label, row.usage, row.gray))
    except ZIP_ERRORS as error:
        raise UserError(f"{where} cannot be read ({error}); download it again.") from error
    if not files:
        first = f" (row 0 {bad[0][1]})" if bad else ""
        raise UserError(f"{where} holds no FER-2013 rows{first}; download fer2013.csv again.")
    return Listing(path, tuple(files), (), tuple(bad))


def _splits(files: Sequence[LabelledFile]) -> dict[str | None, list[LabelledFile]]:
    """Return the members of every split, by folder and by what file names begin with."""
    splits: dict[str | None, list[LabelledFile]] = {}
    if any(file.usage for file in files):
        for file in files:
            splits.setdefault(file.usage, []).append(file)
        return splits
    found: dict[tuple[str, ...], list[LabelledFile]] = {}
    for file in files:
        found.setdefault(tuple(file.name.split("/")[:-2]), []).append(file)
    names = {folders: folders[-1] if folders else None for folders in found}
    if len(set(names.values())) < len(names):  # a/test and b/test are two
        names = {folders: "/".join(folders) or None for folders in found}
    for folders, members in found.items():
        splits[names[folders]] = members
    by_name: dict[str, list[list[LabelledFile]]] = {}
    for members in found.values():
        beginnings: dict[str, list[LabelledFile]] = {}
        for member in members:
            beginnings.setdefault(_beginning(member.name), []).append(member)
        classes = {member.label for member in members}
        for name, part in beginnings.items():
            # "happy_1.jpg" begins with a class, not with a split: a split has them all.
            if name and {member.label for member in part} == classes:
                by_name.setdefault(name, []).append(part)
    for name, parts in by_name.items():
        if len(parts) == 1:  # "img_1.jpg" in every folder tells nothing apart
            splits.setdefault(name, parts[0])
    return splits


def _choose(
    path: Path, splits: dict[str | None, list[LabelledFile]], wanted: str | None
) -> tuple[str | None, list[LabelledFile], tuple[str, ...]]:
    """Return the name and members of the split to read, and the names of the others."""
    names = sorted(name for name in splits if name is not None)
    folded = {name.casefold(): name for name in names}
    if wanted is not None:
        name = folded.get(wanted.casefold())
        if name is None:
            there = f"it has {', '.join(names)}" if names else "it has no splits; leave --split out"
            raise UserError(f"{path} has no split {wanted!r}; {there}.")
        return name, splits[name], _others(splits, name)
    if None in splits:
        return None, splits[None], _others(splits, None)
    for preferred in PREFERRED:
        if preferred in folded:
            name = folded[preferred]
            return name, splits[name], _others(splits, name)
    largest = max(names, key=lambda name: len(splits[name]))
    total = len({member.name for members in splits.values() for member in members})
    if len(splits[largest]) == total:
        return largest, splits[largest], _others(splits, largest)
    raise UserError(f"{path} has several splits; choose one with --split: {', '.join(names)}.")


def _others(splits: dict[str | None, list[LabelledFile]], chosen: str | None) -> tuple[str, ...]:
    """Return the names of the splits that hold something else than the chosen one."""
    same = splits[chosen]
    return tuple(sorted(name for name in splits if name is not None and splits[name] != same))


def _check_classes(
    path: Path, split: str | None, members: Sequence[LabelledFile], labels: Sequence[str]
) -> None:
    there = {member.label for member in members}
    missing = [label for index, label in enumerate(labels) if index not in there]
    if missing:
        where = f"{path} ({split})" if split else f"{path}"
        plural = "s" if len(missing) > 1 else ""
        raise UserError(
            f"{where} has no pictures in the class folder{plural} {', '.join(missing)}; "
            f"the model reads {', '.join(labels)}, and each needs a folder with pictures."
        )


def _beginning(name: str) -> str:
    """Return "PublicTest" of "test/happy/PublicTest_17.jpg", "" where there is none."""
    beginning, line, _ = name.rpartition("/")[2].partition("_")
    return beginning if line else ""


def _is_picture(name: str) -> bool:
    # macOS leaves "__MACOSX/" and "._name.jpg" in zips.
    hidden = name.startswith((".", "__MACOSX/")) or "/." in name
    return name.lower().endswith(SUFFIXES) and not hidden
