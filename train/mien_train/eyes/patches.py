"""Eye patches with their state: an archive of pictures with an index, and pseudo-labels.

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

INDEX = "index.csv"
STATES = {"closed": 0.0, "open": 1.0}
PSEUDO = "pseudo"  # source of the patches labeled by a face mesh
# Width of a patch in eye distances, by eye on fifty patches of each source: how far each
# publisher cut around the eye.
SPANS = {"cew": 0.5, "mrl": 0.95, "closeup": 0.8, PSEUDO: 1.12}
MRL_GLASSES = 3  # field of the file name s0001_00001_GENDER_GLASSES_STATE_REFLECTIONS_...


@dataclass(frozen=True)
class Patches:
    """Eye patches of any size and what is known of them; all arrays are [n]."""

    images: list[npt.NDArray[np.uint8]]
    opened: npt.NDArray[np.float32]  # probability that the eye is open
    source: npt.NDArray[np.str_]
    split: npt.NDArray[np.str_]
    glasses: npt.NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.images)

    def where(self, chosen: npt.NDArray[np.bool_]) -> Patches:
        """Return the patches that `chosen`, bool [n], marks."""
        return Patches(
            [image for image, keep in zip(self.images, chosen, strict=True) if keep],
            self.opened[chosen],
            self.source[chosen],
            self.split[chosen],
            self.glasses[chosen],
        )

    def joined(self, other: Patches) -> Patches:
        """Return these patches and then the other ones."""
        return Patches(
            self.images + other.images,
            np.concatenate([self.opened, other.opened]),
            np.concatenate([self.source, other.source]),
            np.concatenate([self.split, other.split]),
            np.concatenate([self.glasses, other.glasses]),
        )


def read_patches(path: Path) -> Patches:
    """Read open and closed eyes from a zip file or folder with an index.

    Raises:
        UserError: there is no such archive, or a picture of its index is missing or damaged.
    """
    read = _reader(path)
    rows = list(csv.DictReader(io.StringIO(read(INDEX).decode("utf-8"))))
    rows = [row for row in rows if row.get("class") in STATES]
    if not rows:
        raise UserError(f"{path / INDEX} lists no open or closed eyes; give the archive of eyes.")
    images = []
    for row in rows:
        image = cv2.imdecode(np.frombuffer(read(row["image"]), np.uint8), cv2.IMREAD_GRAYSCALE)
        if image is None:
            raise UserError(f"{row['image']} in {path} is damaged; copy the archive again.")
        images.append(np.asarray(image, np.uint8))
    sources = [_source(row) for row in rows]
    return Patches(
        images,
        np.array([STATES[row["class"]] for row in rows], np.float32),
        np.array(sources),
        np.array([row["split"] for row in rows]),
        np.array([_glasses(row, source) for row, source in zip(rows, sources, strict=True)]),
    )


def read_pseudo(path: Path) -> Patches:
    """Read the file that `mien-train eyes-label` wrote.

    Raises:
        UserError: it is missing or damaged.
    """
    try:
        with np.load(path) as stored:
            images, opened, split = stored["images"], stored["opened"], stored["split"]
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise UserError(
            f"{path} cannot be read as pseudo-labels; write it with mien-train eyes-label."
        ) from error
    return Patches(
        list(images),
        opened.astype(np.float32),
        np.full(len(images), PSEUDO),
        split,
        np.zeros(len(images), bool),
    )


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
    """Return which of SPANS a row of the index belongs to."""
    name = row["group"].split(":")[0]
    return name if name in SPANS else "closeup"


def _glasses(row: dict[str, str], source: str) -> bool:
    """Return whether the file name says that the person wears glasses."""
    fields = Path(row["source_path"]).stem.split("_")
    return source == "mrl" and fields[MRL_GLASSES] == "1"
