"""FER+ votes: ten people's opinions on each face of FER-2013, and the truths made of them.

Barsoum et al., "Training Deep Networks for Facial Expression Recognition with Crowd-Sourced Label
Distribution", ICMI 2016. Votes are float [n, 10] in the order of COLUMNS; zeros: no votes.
"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from mien.errors import UserError

MAX_CSV_BYTES = 32 * 2**20  # of a csv of votes; Microsoft's has 2 MB
MAX_VOTES = 1000.0  # of a face and column; FER+ has ten people
Votes = npt.NDArray[np.floating]
Labels = npt.NDArray[np.int64]

# FER+'s columns in its order, and FER-2013's names of the same classes.
COLUMNS = {
    "neutral": "neutral",
    "happiness": "happy",
    "surprise": "surprise",
    "sadness": "sad",
    "anger": "angry",
    "disgust": "disgust",
    "fear": "fear",
    "contempt": None,
    "unknown": None,
    "NF": None,  # no face
}


def read_votes(path: Path, names: Sequence[str]) -> Votes:
    """Return the votes for faces, float64 [n, 10], from a csv as `mien-train votes` writes it.

    `names` are paths of files, "test/happy/PublicTest_1.jpg"; in the csv the folders may be left
    out where the name is unique. Raises UserError where the csv has other content, or votes for
    none of the faces.
    """
    rows, table = read_table(path)
    if rows and "file" not in rows[0]:
        raise UserError(f"{path} goes by row, not by file name; convert it with mien-train votes.")
    votes = {
        row["file"].rsplit(".", 1)[0]: row_votes for row, row_votes in zip(rows, table, strict=True)
    }
    shared = Counter(_bare(name) for name in names)
    found = np.zeros((len(names), len(COLUMNS)))
    for index, name in enumerate(names):
        row = votes.get(_with_folder(name))
        if row is None and shared[_bare(name)] == 1:
            row = votes.get(_bare(name))
        if row is not None:
            found[index] = row
    if not found.any():
        raise UserError(f"{path} has votes for none of the faces; check that they belong together.")
    return found


def majority(votes: Votes, labels: Sequence[str], ties_to_first: bool = False) -> Labels:
    """Return the most voted class of each face, int64 [n], index into `labels`.

    -1 where that is none of `labels`, a tie, or there are no votes. With `ties_to_first` a tie goes
    to the first of its columns, as NumPy's argmax does and many published figures with it.
    """
    top = votes.max(axis=1)
    single = (votes == top[:, None]).sum(axis=1) == 1
    decided = (top > 0) & (single | ties_to_first)
    return np.where(decided, _label_of_column(labels)[votes.argmax(axis=1)], -1)


def agreed(votes: Votes, fer2013: Labels, labels: Sequence[str]) -> Labels:
    """Return FER-2013's label where it is also the majority of the votes, else -1; int64 [n]."""
    return np.where(majority(votes, labels) == fer2013, fer2013, -1)


def microsoft_majority(votes: Votes, labels: Sequence[str]) -> Labels:
    """Return FER+'s own eight-class truth, int64 [n], index into (*labels, "contempt").

    The rule of https://github.com/microsoft/FERPlus, mode "majority": single votes are dropped, a
    class needs more than half of the rest; -1 for a face without one, "unknown" and "no face".
    """
    kept = np.where(votes > 1, votes, 0.0)
    decided = kept.max(axis=1) > 0.5 * kept.sum(axis=1)
    columns = _label_of_column(labels)
    columns[tuple(COLUMNS).index("contempt")] = len(labels)
    return np.where(decided, columns[kept.argmax(axis=1)], -1)


def voters_agreeing(votes: Votes) -> Labels:
    """Return how many of ten voters chose the most voted column, int64 [n]; 0 without votes."""
    total = votes.sum(axis=1)
    share = np.divide(votes.max(axis=1), total, out=np.zeros(len(votes)), where=total > 0)
    return np.asarray(np.rint(10 * share), np.int64)


def _label_of_column(labels: Sequence[str]) -> Labels:
    index = {label: k for k, label in enumerate(labels)}
    return np.array([index.get(name or "", -1) for name in COLUMNS.values()], np.int64)


def read_table(path: Path) -> tuple[list[dict[str, str]], Votes]:
    """Return the rows and the votes, float64 [n, 10], of a csv with FER+'s columns.

    That is Microsoft's fer2013new.csv (column "Image name") or what `mien-train votes` wrote
    (column "file"). Raises UserError for any other content.
    """
    other = UserError(
        f"{path} holds no FER+ votes; give Microsoft's fer2013new.csv "
        "(https://github.com/microsoft/FERPlus) or what mien-train votes wrote."
    )
    try:
        if path.stat().st_size > MAX_CSV_BYTES:
            raise other
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, restval="")
            reader.fieldnames = [name.strip() for name in reader.fieldnames or []]
            head = set(reader.fieldnames)
            if not head.issuperset(COLUMNS) or not head & {"file", "Image name"}:
                raise other
            rows = list(reader)
        values = [[float(row[name] or 0) for name in COLUMNS] for row in rows]
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror}); check the path.") from error
    except (ValueError, csv.Error) as error:  # UnicodeDecodeError is a ValueError
        raise other from error
    table = np.array(values, np.float64).reshape(-1, len(COLUMNS))
    if not ((table >= 0) & (table <= MAX_VOTES)).all():  # also refuses nan
        raise other
    return rows, table


def _bare(name: str) -> str:
    return name.rsplit("/", 1)[-1].rsplit(".", 1)[0]


def _with_folder(name: str) -> str:
    return "/".join(name.rsplit(".", 1)[0].split("/")[-2:])
