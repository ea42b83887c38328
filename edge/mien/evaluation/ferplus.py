"""What ten people saw in each face: the votes of FER+ by file name, as `mien-train votes` writes.

Barsoum et al., "Training Deep Networks for Facial Expression Recognition with Crowd-Sourced Label
Distribution", ICMI 2016. Microsoft's own file goes by rows; only the workstation can join that.
"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from mien.errors import UserError

# FER+'s columns in its order, and what the classes of FER-2013 call the same.
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


def majority(path: Path, names: Sequence[str], labels: Sequence[str]) -> npt.NDArray[np.int64]:
    """Return what most people saw in each of the faces, int64 [n], an index into `labels`.

    -1 where that is a tie, none of `labels`, or the file says nothing of the face. `names` are
    paths of files, "test/happy/PublicTest_1.jpg"; in the file the folders may be left out as long
    as the name has no namesake. Raises UserError where the file has other content, or votes for
    none of the faces.
    """
    votes = _read(path)
    shared = Counter(_bare(name) for name in names)
    index = {label: place for place, label in enumerate(labels)}
    label_of_column = np.array([index.get(name or "", -1) for name in COLUMNS.values()], np.int64)
    found = np.full(len(names), -1, np.int64)
    known = 0
    for place, name in enumerate(names):
        row = votes.get(_with_folder(name))
        if row is None and shared[_bare(name)] == 1:
            row = votes.get(_bare(name))
        if row is None:
            continue
        known += 1
        if row.max() > 0 and (row == row.max()).sum() == 1:
            found[place] = label_of_column[row.argmax()]
    if not known:
        raise UserError(f"{path} has votes for none of the faces; check that they belong together.")
    return found


def _read(path: Path) -> dict[str, npt.NDArray[np.float64]]:
    """Return the votes, float64 [10], by file name without its ending."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            head = set(reader.fieldnames or ())
            if "file" not in head or not head.issuperset(COLUMNS):
                raise _other(path)
            return {
                row["file"].rsplit(".", 1)[0]: np.array(
                    [float(row[name] or 0) for name in COLUMNS], np.float64
                )
                for row in reader
            }
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror}); check the path.") from error
    except (UnicodeDecodeError, ValueError, TypeError, AttributeError, csv.Error) as error:
        raise _other(path) from error


def _other(path: Path) -> UserError:
    return UserError(
        f"{path} holds no votes by file name; make it from Microsoft's fer2013new.csv with "
        "mien-train votes."
    )


def _bare(name: str) -> str:
    return name.rsplit("/", 1)[-1].rsplit(".", 1)[0]


def _with_folder(name: str) -> str:
    return "/".join(name.rsplit(".", 1)[0].split("/")[-2:])
