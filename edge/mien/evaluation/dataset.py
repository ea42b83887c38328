"""Labelled faces for `mien eval`: a folder or zip with a folder for each class.

The class folders may stand at the top (`happy/1.jpg`) or one level down, in a folder for each split
(`train/happy/1.jpg`); folders around all of it are looked through. FER-2013's Kaggle archive keeps
two splits in one folder, told apart by the file name (`PublicTest_1.jpg`, `PrivateTest_1.jpg`), so
what stands before the first "_" is a split too. Pictures are read from a zip without unpacking it.
"""

from __future__ import annotations

import re
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from mien.errors import UserError
from mien.image import decode_image

SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff", ".pgm")
# What is read where several splits stand side by side and none is named: first of all the one on
# which the metrics in a model's file were measured.
PREFERRED = ("publictest", "test", "validation", "val")
LARGEST = 64 * 2**20  # bytes of one picture in a zip; more is no face

LabelledFace = tuple[str, int, npt.NDArray[np.uint8]]  # name, label's index, gray [h, w]


@dataclass(frozen=True)
class LabelledImages:
    """The faces of one split, listed and not yet read."""

    path: Path
    split: str | None  # None where the data has no splits
    others: tuple[str, ...]  # names of what could be read instead
    ignored: tuple[str, ...]  # names of folders that are no class
    members: tuple[tuple[str, int], ...]  # path inside the folder or zip, label's index

    def __len__(self) -> int:
        """Return how many faces there are."""
        return len(self.members)

    def faces(self, skipped: Callable[[str], None] | None = None) -> Iterator[LabelledFace]:
        """Read the faces one by one.

        A face that cannot be read raises UserError; where `skipped` is given, that is called with
        the sentence instead and the reading goes on.
        """
        with ExitStack() as stack:
            archive = None
            if self.path.is_file():
                archive = stack.enter_context(_open_zip(self.path))
            for name, label in self.members:
                try:
                    picture = decode_image(self._read(archive, name), f"{self.path}/{name}")
                except UserError as error:
                    if skipped is None:
                        raise
                    skipped(str(error))
                    continue
                yield name, label, picture.gray

    def _read(self, archive: zipfile.ZipFile | None, name: str) -> bytes:
        try:
            if archive is None:
                return (self.path / name).read_bytes()
            if archive.getinfo(name).file_size > LARGEST:
                raise UserError(f"{self.path}/{name} is too large for a face; leave it out.")
            return archive.read(name)
        except (OSError, RuntimeError, EOFError, zipfile.BadZipFile, zlib.error) as error:
            # RuntimeError: encrypted. NotImplementedError, an unknown compression, is one too.
            raise UserError(f"{self.path}/{name} cannot be read ({error}).") from error


def read_faces(
    path: str | Path, labels: Sequence[str], split: str | None = None
) -> Iterator[LabelledFace]:
    """Yield name, label's index and gray picture of every face; raises UserError."""
    return list_faces(path, labels, split).faces()


def list_faces(path: str | Path, labels: Sequence[str], split: str | None = None) -> LabelledImages:
    """List the faces of a folder or zip; `labels` are the names of the class folders, in order.

    `split` is the name of a folder above the class folders or the beginning of file names up to
    "_", capitals or not. Without it the only split is taken, or the first there is of PublicTest,
    test, validation; raises UserError where that does not decide, and where the path is missing,
    no zip, has an unsafe name in it, holds no pictures or lacks a class.
    """
    path = Path(path)
    if not path.exists():
        raise UserError(f"There is no {path}; give a folder or zip with class folders.")
    names = _names_in_folder(path) if path.is_dir() else _names_in_zip(path)
    pictures = [name for name in names if _is_picture(name)]
    if not pictures:
        raise UserError(
            f"{path} holds no pictures; give a folder or zip with a folder of them for each class: "
            f"{', '.join(labels)}."
        )
    known = {label.casefold(): index for index, label in enumerate(labels)}
    found: dict[tuple[str, ...], list[tuple[str, int]]] = {}
    ignored: set[str] = set()
    for name in pictures:
        parts = tuple(name.split("/"))
        label = known.get(parts[-2].casefold()) if len(parts) > 1 else None
        if label is None:
            ignored.add("/".join(parts[:-1]) or "the top folder")
        else:
            found.setdefault(parts[:-2], []).append((name, label))
    if not found:
        raise UserError(
            f"{path} has none of the class folders {', '.join(labels)}, neither at the top nor in "
            "folders of splits; put each picture into the folder of its class."
        )
    chosen, members, others = _choose(path, _splits(found), split)
    _check_classes(path, chosen, members, labels)
    return LabelledImages(path, chosen, others, tuple(sorted(ignored)), tuple(sorted(members)))


def _splits(
    found: dict[tuple[str, ...], list[tuple[str, int]]],
) -> dict[str | None, list[tuple[str, int]]]:
    """Return the members of every split, by folder and by what file names begin with."""
    splits: dict[str | None, list[tuple[str, int]]] = {}
    names = {folders: folders[-1] if folders else None for folders in found}
    if len(set(names.values())) < len(names):  # a/test and b/test are two
        names = {folders: "/".join(folders) or None for folders in found}
    for folders, members in found.items():
        splits[names[folders]] = members
    by_name: dict[str, list[list[tuple[str, int]]]] = {}
    for members in found.values():
        beginnings: dict[str, list[tuple[str, int]]] = {}
        for member in members:
            beginnings.setdefault(_beginning(member[0]), []).append(member)
        classes = {label for _, label in members}
        for name, part in beginnings.items():
            # "happy_1.jpg" begins with a class, not with a split: a split has them all.
            if name and {label for _, label in part} == classes:
                by_name.setdefault(name, []).append(part)
    for name, parts in by_name.items():
        if len(parts) == 1:  # "img_1.jpg" in every folder tells nothing apart
            splits.setdefault(name, parts[0])
    return splits


def _choose(
    path: Path, splits: dict[str | None, list[tuple[str, int]]], wanted: str | None
) -> tuple[str | None, list[tuple[str, int]], tuple[str, ...]]:
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
    total = len({member for members in splits.values() for member in members})
    if len(splits[largest]) == total:
        return largest, splits[largest], _others(splits, largest)
    raise UserError(f"{path} has several splits; choose one with --split: {', '.join(names)}.")


def _others(splits: dict[str | None, list[tuple[str, int]]], chosen: str | None) -> tuple[str, ...]:
    """Return the names of the splits that hold something else than the chosen one."""
    same = splits[chosen]
    return tuple(sorted(name for name in splits if name is not None and splits[name] != same))


def _check_classes(
    path: Path, split: str | None, members: Sequence[tuple[str, int]], labels: Sequence[str]
) -> None:
    there = {label for _, label in members}
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


def _names_in_folder(path: Path) -> list[str]:
    return [file.relative_to(path).as_posix() for file in path.rglob("*") if file.is_file()]


def _names_in_zip(path: Path) -> list[str]:
    with _open_zip(path) as archive:
        names = [info.filename for info in archive.infolist() if not info.is_dir()]
    for name in names:
        parts = re.split(r"[/\\]", name)
        if ".." in parts or name.startswith(("/", "\\")) or re.match(r"[A-Za-z]:", name):
            raise UserError(
                f"{path} has the unsafe file name {name!r} in it; "
                "do not trust it, and pack the class folders anew."
            )
    return names


def _open_zip(path: Path) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(path)
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise UserError(
            f"{path} is neither a folder nor a zip that can be read ({error}); "
            "give a folder or zip with class folders, or copy it again."
        ) from error
