"""Chooses training images: the honest balanced subset, or all that are honest.

    indices = balanced(dataset, seed=7)
    write_manifest(Path("subset.csv"), dataset, indices, note="balanced, seed 7")

The order comes from SHA-256 and not from a random number generator, so that one seed chooses the
same images on any machine, with any version of NumPy.
"""

from __future__ import annotations

import csv
import hashlib
import io
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from mien.atomic import write_file
from mien.errors import UserError
from numpy.typing import NDArray

from mien_train.data.fer2013 import Dataset
from mien_train.data.ferplus import majority
from mien_train.data.labels import LABELS


@dataclass(frozen=True)
class Row:
    """One line of a manifest."""

    path: str  # name in the data set, "train/angry/Training_123.jpg"
    label: str
    sha256: str  # hex, of the 48 * 48 pixel bytes


def full(dataset: Dataset) -> NDArray[np.int64]:
    """Indices int64 [m], ascending, of all honest training images: one of each group of identical
    copies, none that also stands in a test split (whatever its label there), and none whose copies
    carry two labels, in any split. Images of the label -1 (see `by_votes`) stay out."""
    labels_of: dict[str, set[int]] = {}
    tested: set[str] = set()
    for digest, label, split in zip(dataset.sha256, dataset.labels, dataset.splits, strict=True):
        labels_of.setdefault(digest, set()).add(int(label))
        if split != "train":
            tested.add(digest)
    chosen: dict[str, int] = {}
    for index in np.flatnonzero(dataset.splits == "train"):
        digest = dataset.sha256[index]
        single = len(labels_of[digest]) == 1 and dataset.labels[index] >= 0
        if digest not in tested and single:
            chosen.setdefault(digest, int(index))
    return np.array(sorted(chosen.values()), np.int64)


def by_votes(dataset: Dataset, votes: NDArray[np.float32]) -> Dataset:
    """The data set with what most people saw as labels, -1 where that is none of the seven.

    For the functions that choose; a manifest is of the data set as it was. `votes` is float32
    [n, 10], see mien_train.data.ferplus.counts.
    """
    return replace(dataset, labels=majority(votes))


def balanced(dataset: Dataset, seed: int, per_class: int | None = None) -> NDArray[np.int64]:
    """Indices int64 [m], ascending, of equally many honest training images of each class.

    Without `per_class` as many as the smallest class has; with it, a class that has fewer gives all
    that it has (see `shortfalls`).
    """
    candidates = full(dataset)
    by_class = [[int(i) for i in candidates if dataset.labels[i] == k] for k in range(len(LABELS))]
    if per_class is None:
        per_class = min(len(members) for members in by_class)

    def rank(index: int) -> tuple[bytes, str]:
        # The pixels and not the name: the same images from zip and folder; the name tells copies.
        key = f"{seed}|{dataset.sha256[index]}"
        return hashlib.sha256(key.encode()).digest(), dataset.names[index]

    chosen = [i for members in by_class for i in sorted(members, key=rank)[:per_class]]
    return np.array(sorted(chosen), np.int64)


def shortfalls(
    dataset: Dataset, indices: NDArray[np.int64], per_class: int | None
) -> dict[str, int]:
    """How many images each class that misses `per_class` has."""
    counts = np.bincount(dataset.labels[indices], minlength=len(LABELS))
    return {
        name: int(count)
        for name, count in zip(LABELS, counts, strict=True)
        if per_class is not None and count < per_class
    }


def manifest_text(dataset: Dataset, indices: NDArray[np.int64], note: str) -> str:
    """The manifest: comment lines that begin with #, a header, one line per image by path."""
    out = io.StringIO()
    out.write(f"# FER-2013 {note}\n")
    out.write("# sha256 is of the image's 48 * 48 pixel bytes (decoded gray), not of its file\n")
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["path", "label", "sha256"])
    for i in sorted(indices, key=lambda i: dataset.names[i]):
        writer.writerow([dataset.names[i], LABELS[dataset.labels[i]], dataset.sha256[i]])
    return out.getvalue()


def write_manifest(path: Path, dataset: Dataset, indices: NDArray[np.int64], note: str) -> str:
    """Write the manifest atomically; returns its SHA-256 (hex)."""
    data = manifest_text(dataset, indices, note).encode()
    write_file(path, data)
    return hashlib.sha256(data).hexdigest()


def read_manifest(path: Path) -> list[Row]:
    """The lines of a manifest.

    Raises:
        UserError: there is none, or it is not one.
    """
    try:
        lines = [line for line in path.read_text("utf-8").splitlines() if not line.startswith("#")]
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(
            f"cannot read the manifest {path}; make one with: mien-train subset DATA --out {path}."
        ) from error
    try:
        rows = list(csv.reader(lines))
    except csv.Error:  # a field beyond the module's limit
        rows = []
    body = [Row(*row) for row in rows[1:] if len(row) == 3 and row[1] in LABELS]
    if not body or rows[0] != ["path", "label", "sha256"] or len(body) != len(rows) - 1:
        raise UserError(
            f"{path} is not a manifest with the columns path, label, sha256; "
            f"make one with: mien-train subset DATA --out {path}."
        )
    return body


def indices_of(dataset: Dataset, rows: list[Row]) -> NDArray[np.int64]:
    """Where the manifest's images stand in `dataset`, int64 [m] in the manifest's order.

    Raises:
        UserError: an image is missing, or has other pixels or another label than the manifest says.
    """
    place = {name: index for index, name in enumerate(dataset.names)}
    found = []
    for row in rows:
        index = place.get(row.path)
        if index is None:
            raise UserError(
                f"the manifest names {row.path}, which the data does not hold; "
                "give the data that the manifest was made from, or make it anew."
            )
        if dataset.sha256[index] != row.sha256 or LABELS[dataset.labels[index]] != row.label:
            raise UserError(
                f"{row.path} is not the image that the manifest describes; "
                "the data was altered; see mien-train audit."
            )
        found.append(index)
    return np.array(found, np.int64)
