"""Contact sheets: samples of every class, copies with other labels, labels that voters reject."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import cv2
import numpy as np
from mien.atomic import write_file
from numpy.typing import NDArray

from mien_train.data.audit import Audit
from mien_train.data.fer2013 import Dataset
from mien_train.data.ferplus import majority
from mien_train.data.labels import LABELS, VOTE_COLUMNS, VOTE_OF_LABEL

_FACE = 96  # pixels; twice what a face of FER-2013 has
_GAP = 8  # pixels
_LINE = 17  # pixels, height of a line of text
_SHORT = {"train": "train", "validation": "valid.", "test": "test"}


def samples(dataset: Dataset, per_class: int = 12) -> NDArray[np.uint8]:
    """A row per class of its training images, spread evenly over their names: uint8 [H, W]."""
    train = np.flatnonzero(dataset.splits == "train")
    pool = train if len(train) else np.arange(len(dataset))
    width = 90 + per_class * (_FACE + _GAP) + _GAP
    sheet = np.full((len(LABELS) * (_FACE + _GAP) + _GAP, width), 255, np.uint8)
    for k, name in enumerate(LABELS):
        top = _GAP + k * (_FACE + _GAP)
        _write(sheet, name, 10, top + _FACE // 2 + 5)
        members = pool[dataset.labels[pool] == k]
        count = min(per_class, len(members))
        for column in range(count):
            index = members[column * len(members) // count]
            _paste(sheet, dataset.images[index], top, 90 + column * (_FACE + _GAP))
    return sheet


def conflicts(found: Audit, limit: int = 60) -> NDArray[np.uint8]:
    """Groups of copies with two labels or more, byte-identical ones first: uint8 [H, W].

    A tile shows the first image of the group and, of near-identical ones, one that bears another
    label; below stand the labels, how often each is given, and in which splits.
    """
    data = found.dataset
    exact = [found.identical.members[i] for i in found.identical.conflicts]
    near = [found.near.members[i] for i in found.near.conflicts]
    # A group of byte-identical copies is often part of a larger one that is only nearly identical.
    known = {int(i) for group in exact for i in group}
    near = [group for group in near if not known.intersection(group.tolist())]
    title = f"one picture, two labels: {len(exact)} byte-identical groups"
    parts = [_tiles(data, exact[:limit], 1, title)]
    title = f"nearly one picture, two labels: {min(limit, len(near))} of {len(near)} further groups"
    parts.append(_tiles(data, near[:limit], 2, title))
    width = max(part.shape[1] for part in parts)
    padded = [
        np.pad(part, ((0, 0), (0, width - part.shape[1])), constant_values=255) for part in parts
    ]
    return np.concatenate(padded)


def disagreements(
    dataset: Dataset, votes: NDArray[np.float32], per_class: int = 10
) -> NDArray[np.uint8]:
    """A row per class of the images whose label the fewest people share, and their votes.

    Args:
        votes: float32 [n, 10], see mien_train.data.ferplus.counts.

    Returns:
        uint8 [H, W]. Of equally bad ones those come first whose voters are most of one mind.
    """
    seen = majority(votes)
    column_of_label = np.array([VOTE_COLUMNS.index(name) for name in VOTE_OF_LABEL])
    own = votes[np.arange(len(dataset)), column_of_label[dataset.labels]]
    wide, high = 130 + _GAP, _FACE + 2 * _LINE + 2 * _GAP
    sheet = np.full((len(LABELS) * high + 40, 90 + per_class * wide + _GAP), 255, np.uint8)
    _write(sheet, "labels of FER-2013 that people do not share, and their votes", _GAP, 26, 0.6)
    for k, name in enumerate(LABELS):
        top = 40 + k * high
        _write(sheet, name, 10, top + _FACE // 2 + 5)
        members = np.flatnonzero((dataset.labels == k) & (seen >= 0) & (seen != k))
        order = np.lexsort((-votes[members].max(axis=1), own[members]))[:per_class]
        for place, i in enumerate(members[order]):
            left = 90 + place * wide
            _paste(sheet, dataset.images[i], top, left)
            most = np.argsort(-votes[i], kind="stable")[:2]
            for line, column in enumerate(column for column in most if votes[i, column]):
                text = f"{votes[i, column]:.3g} {VOTE_COLUMNS[column]}"
                _write(sheet, text, left, top + _FACE + 14 + line * _LINE, 0.42)
    return sheet


def save(path: Path, sheet: NDArray[np.uint8]) -> None:
    """Write a sheet as PNG. Raises UserError where the place cannot be written."""
    write_file(path, cv2.imencode(".png", sheet)[1].tobytes())


def _tiles(
    data: Dataset, groups: list[NDArray[np.int64]], faces: int, title: str
) -> NDArray[np.uint8]:
    columns, lines = (10, 3) if faces == 1 else (6, 3)
    wide = max(faces * _FACE, 130) + _GAP
    high = _FACE + lines * _LINE + 2 * _GAP
    rows = -(-len(groups) // columns)
    sheet = np.full((rows * high + 40, columns * wide + 2 * _GAP), 255, np.uint8)
    _write(sheet, title, _GAP, 26, 0.6)
    for number, group in enumerate(groups):
        top = 40 + number // columns * high
        left = _GAP + number % columns * wide
        for place, index in enumerate(_unlike(data, group)[:faces]):
            _paste(sheet, data.images[index], top, left + place * _FACE)
        given = Counter((int(data.labels[i]), str(data.splits[i])) for i in group)
        captions = [f"{n} {LABELS[k]} {_SHORT[split]}" for (k, split), n in sorted(given.items())]
        if len(captions) > lines:
            captions[lines - 1 :] = [f"and {len(captions) - lines + 1} more"]
        for line, caption in enumerate(captions):
            _write(sheet, caption, left, top + _FACE + 14 + line * _LINE, 0.42)
    return sheet


def _unlike(data: Dataset, group: NDArray[np.int64]) -> list[int]:
    """The first image of a group and the first that differs from it in label."""
    other = [int(i) for i in group if data.labels[i] != data.labels[group[0]]]
    return [int(group[0]), other[0]]


def _paste(sheet: NDArray[np.uint8], face: NDArray[np.uint8], top: int, left: int) -> None:
    sheet[top : top + _FACE, left : left + _FACE] = cv2.resize(
        face, (_FACE, _FACE), interpolation=cv2.INTER_CUBIC
    )


def _write(sheet: NDArray[np.uint8], text: str, left: int, bottom: int, size: float = 0.5) -> None:
    cv2.putText(sheet, text, (left, bottom), cv2.FONT_HERSHEY_SIMPLEX, size, 0, 1, cv2.LINE_AA)
