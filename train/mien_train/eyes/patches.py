"""Patches of eyes and mouths with their state: an archive with an index, and pseudo-labels.

The archive is a zip file or folder with `index.csv`; its columns `image`, `class` (open or
closed), `split` (train or val), `group`, `source_repo` and `source_path` are read.
"""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
from mien.errors import UserError

from mien_train.eyes.pseudo import EYE_PATCH, MOUTH_PATCH

INDEX = "index.csv"
STATES = {"closed": 0.0, "open": 1.0}
PSEUDO, YAWN = "pseudo", "yawn"  # sources: labeled by a face mesh; people who yawn or do not
# Width of a patch in eye distances, by eye on fifty patches of each source: how far each
# publisher cut around the eye.
EYE_SPANS = {"cew": 0.5, "mrl": 0.95, "closeup": 0.8, PSEUDO: EYE_PATCH.span}
MOUTH_SPANS = {PSEUDO: MOUTH_PATCH.span, YAWN: MOUTH_PATCH.span}
MRL_GLASSES = 3  # field of the file name s0001_00001_GENDER_GLASSES_STATE_REFLECTIONS_...


@dataclass(frozen=True)
class Patches:
    """Patches of any size and what is known of them; all arrays are [n]."""

    images: list[npt.NDArray[np.uint8]]
    state: npt.NDArray[np.float32]  # probability that the eye is open, or that the mouth yawns
    source: npt.NDArray[np.str_]
    split: npt.NDArray[np.str_]
    glasses: npt.NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.images)

    def where(self, chosen: npt.NDArray[np.bool_]) -> Patches:
        """Return the patches that `chosen`, bool [n], marks."""
        return Patches(
            [image for image, keep in zip(self.images, chosen, strict=True) if keep],
            self.state[chosen],
            self.source[chosen],
            self.split[chosen],
            self.glasses[chosen],
        )

    def joined(self, other: Patches) -> Patches:
        """Return these patches and then the other ones."""
        return Patches(
            self.images + other.images,
            np.concatenate([self.state, other.state]),
            np.concatenate([self.source, other.source]),
            np.concatenate([self.split, other.split]),
            np.concatenate([self.glasses, other.glasses]),
        )


def read_part(part: str, data: Path, labels: Path | None) -> Patches:
    """Return the patches of a part, "eyes" or "mouth", of an archive and of pseudo-labels.

    Raises:
        UserError: there is no such part, or a file is missing or damaged.
    """
    if part not in ("eyes", "mouth"):
        raise UserError(f"--part must be eyes or mouth, got {part}.")
    if part == "mouth":
        if labels is None:
            raise UserError("--part mouth needs --labels, the file of mien-train eyes-label.")
        return read_labels(labels, part)
    patches = read_patches(data)
    return patches if labels is None else patches.joined(read_labels(labels, part))


def read_patches(path: Path) -> Patches:
    """Read open and closed eyes from a zip file or folder with an index.

    Raises:
        UserError: there is no such archive, or a picture of its index is missing or damaged.
    """
    found = _rows(path, tuple(STATES))
    images, rows = [image for image, _ in found], [row for _, row in found]
    sources = [_source(row) for row in rows]
    return Patches(
        images,
        np.array([STATES[row["class"]] for row in rows], np.float32),
        np.array(sources),
        np.array([row["split"] for row in rows]),
        np.array([_glasses(row, source) for row, source in zip(rows, sources, strict=True)]),
    )


def read_faces(path: Path) -> list[tuple[npt.NDArray[np.uint8], bool, str]]:
    """Return the faces of an archive that yawn or do not, each with whether, and its split."""
    return [
        (image, row["class"] == "yawn", row["split"])
        for image, row in _rows(path, ("yawn", "no_yawn"))
    ]


def read_labels(path: Path, part: str) -> Patches:
    """Read the patches of eyes or of mouths that `mien-train eyes-label` wrote.

    Raises:
        UserError: the file is missing or damaged.
    """
    try:
        with np.load(path) as stored:
            images, state, split, source = (
                stored[f"{part}_{name}"] for name in ("images", "state", "split", "source")
            )
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise UserError(
            f"{path} cannot be read as labels; write it with mien-train eyes-label."
        ) from error
    return Patches(
        list(images), state.astype(np.float32), source, split, np.zeros(len(images), bool)
    )


def _rows(
    path: Path, classes: tuple[str, ...]
) -> list[tuple[npt.NDArray[np.uint8], dict[str, str]]]:
    """Return the pictures of some classes, gray, with their rows of the index."""
    read = _reader(path)
    rows = list(csv.DictReader(io.StringIO(read(INDEX).decode("utf-8"))))
    rows = [row for row in rows if row.get("class") in classes]
    if not rows:
        raise UserError(
            f"{path} has no pictures of the class {' or '.join(classes)}; give the archive of eyes."
        )
    found = []
    for row in rows:
        image = cv2.imdecode(np.frombuffer(read(row["image"]), np.uint8), cv2.IMREAD_GRAYSCALE)
        if image is None:
            raise UserError(f"{row['image']} in {path} is damaged; copy the archive again.")
        found.append((np.asarray(image, np.uint8), row))
    return found


def _reader(path: Path) -> Callable[[str], bytes]:
    """Return what reads a file of the archive by its name."""
    try:
        if path.is_dir():
            (path / INDEX).read_bytes()
            return lambda name: (path / name).read_bytes()
        archive = zipfile.ZipFile(path)
        archive.getinfo(INDEX)
        return archive.read
    except (OSError, KeyError, zipfile.BadZipFile) as error:
        raise UserError(
            f"{path} is no archive of eyes: give a zip file or folder with {INDEX} "
            "(columns image, class, split, group, source_repo, source_path)."
        ) from error


def _source(row: dict[str, str]) -> str:
    """Return which of EYE_SPANS a row of the index belongs to."""
    name = row["group"].split(":")[0]
    return name if name in EYE_SPANS else "closeup"


def _glasses(row: dict[str, str], source: str) -> bool:
    """Return whether the file name says that the person wears glasses."""
    fields = Path(row["source_path"]).stem.split("_")
    return source == "mrl" and fields[MRL_GLASSES] == "1"
