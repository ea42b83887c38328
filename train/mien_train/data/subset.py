"""Chooses training images: the honest balanced subset, or all that are honest.

The order comes from SHA-256 and not from a random number generator, so that one seed chooses the
same images on any machine, with any version of NumPy.
"""

from __future__ import annotations

import csv
import hashlib
import io

import numpy as np
from numpy.typing import NDArray

from mien_train.data.fer2013 import Dataset
from mien_train.data.labels import LABELS


def full(dataset: Dataset) -> NDArray[np.int64]:
    """Indices int64 [m], ascending, of all honest training images: one of each group of identical
    copies, none that also stands in a test split (whatever its label there), and none whose copies
    carry two labels, in any split."""
    labels_of: dict[str, set[int]] = {}
    tested: set[str] = set()
    for digest, label, split in zip(dataset.sha256, dataset.labels, dataset.splits, strict=True):
        labels_of.setdefault(digest, set()).add(int(label))
        if split != "train":
            tested.add(digest)
    chosen: dict[str, int] = {}
    for index in np.flatnonzero(dataset.splits == "train"):
        digest = dataset.sha256[index]
        if digest not in tested and len(labels_of[digest]) == 1:
            chosen.setdefault(digest, int(index))
    return np.array(sorted(chosen.values()), np.int64)


def balanced(dataset: Dataset, seed: int, per_class: int | None = None) -> NDArray[np.int64]:
    """Indices int64 [m], ascending, of equally many honest training images of each class.

    Without `per_class` as many as the smallest class has; with it, a class that has fewer gives all
    that it has.
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
