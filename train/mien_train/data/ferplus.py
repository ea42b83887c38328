"""FER+ votes joined with FER-2013: ten people's opinions on each face.

    votes = counts("fer2013new.csv", dataset)      # Microsoft's file, MIT licence
    targets, labels = distribution(votes), majority(votes)

Microsoft's fer2013new.csv has the rows of fer2013.csv in their order, so a data set read from that
is joined by row. Kaggle's files have names of their own; ferplus_index.csv.gz maps them to
FER+'s images, found by comparing pixels. FER+ numbers its images, ferNNNNNNN.png, almost
but not quite by row (the last of 35,887 rows is fer0035801): the index holds the numbers of the
names. Two file names of the archive stand in two class folders each, with different faces; those
bear the class in the index ("surprise/Training_52789098.jpg").

Barsoum et al., "Training Deep Networks for Facial Expression Recognition with Crowd-Sourced Label
Distribution", ICMI 2016.
"""

from __future__ import annotations

import csv
import gzip
import io
import re
from collections import Counter
from pathlib import Path

import numpy as np
from mien.errors import UserError
from mien.evaluation import ferplus
from numpy.typing import NDArray

from mien_train.data.fer2013 import Dataset
from mien_train.data.labels import LABELS, VOTE_COLUMNS, VOTE_OF_LABEL

INDEX = Path(__file__).parents[1] / "ferplus_index.csv.gz"
_PLACES = [VOTE_COLUMNS.index(name) for name in VOTE_OF_LABEL]
TRUTHS = ("fer2013", "votes")
_USAGE = {"train": "Training", "validation": "PublicTest", "test": "PrivateTest"}


def counts(path: str | Path, dataset: Dataset) -> NDArray[np.float32]:
    """The votes for each image of a data set.

    Args:
        path: Microsoft's fer2013new.csv, or a csv by file name as `mien-train votes` writes it.
        dataset: FER-2013 in any form.

    Returns:
        float32 [n, 10] in the order of VOTE_COLUMNS; zeros where FER+ has none. Of an image that
        FER+ has several times (byte-identical copies) the mean.

    Raises:
        UserError: the file is neither, or has no votes for any of the images.
    """
    path = Path(path)
    rows, values = ferplus.read_table(path)
    table = values.astype(np.float32)
    if rows and "file" in rows[0]:
        return ferplus.read_votes(path, dataset.names).astype(np.float32)
    found = _of_ferplus(path, dataset, rows, table)
    if not found.any():
        raise UserError(
            f"{path} has votes for none of the images; check that they belong together."
        )
    return found


def distribution(votes: NDArray[np.float32]) -> NDArray[np.float32]:
    """Soft labels of votes float32 [n, 10]: float32 [n, 7] in the order of LABELS.

    Single votes are taken for slips and dropped, as Barsoum et al. do; contempt, unknown and
    no-face votes too. Rows sum to 1, or are zeros where nothing is left.
    """
    kept = np.where(votes > 1, votes, 0)[:, _PLACES]
    total = kept.sum(axis=1, keepdims=True)
    shares = np.divide(kept, total, out=np.zeros_like(kept), where=total > 0)
    return np.asarray(shares, np.float32)


def majority(votes: NDArray[np.floating], ties_to_first: bool = False) -> NDArray[np.int64]:
    """Return the most voted class, int64 [n], index into LABELS; -1 for ties and other columns.

    With `ties_to_first` a tie goes to the column that FER+ names first (neutral before all): 5 % of
    the images, and 1.0 point of FER-2013's agreement.
    """
    return ferplus.majority(votes, LABELS, ties_to_first)


def require_votes(labels: str, path: Path | None) -> None:
    """Raise UserError unless --labels is one of the two truths and has what it needs."""
    if labels not in TRUTHS:
        raise UserError(f"--labels {labels} is not known; it takes fer2013 or votes.")
    if labels == "votes" and path is None:
        raise UserError("--labels votes needs --votes with FER+'s fer2013new.csv.")


def agreement(
    labels: NDArray[np.int64], votes: NDArray[np.float32]
) -> dict[str, dict[str, object]]:
    """Per class of FER-2013, and for "all": how far people agree with its labels.

    Returns:
        {class: {"n": images with votes, "agree": fraction of them whose majority is the label,
        "seen": {majority or "none": fraction}}}.
    """
    seen = majority(votes)
    voted = votes.any(axis=1)
    out: dict[str, dict[str, object]] = {}
    for k, name in enumerate((*LABELS, "all")):
        mask = voted & (labels == k) if name != "all" else voted
        n = int(mask.sum())
        if n:
            shares = {LABELS[j]: float(np.mean(seen[mask] == j)) for j in range(len(LABELS))}
            shares["none"] = float(np.mean(seen[mask] == -1))
            agree = float(np.mean(seen[mask] == labels[mask]))
            out[name] = {"n": n, "agree": agree, "seen": shares}
    return out


def agreement_text(labels: NDArray[np.int64], votes: NDArray[np.float32]) -> str:
    """The agreement as a table: what the majority of ten people saw, per label of FER-2013."""
    columns = (*LABELS, "none")
    lines = ["label".ljust(10) + "images".rjust(8) + "".join(name.rjust(10) for name in columns)]
    table = agreement(labels, votes)
    for name, row in table.items():
        cells = [f"{row['seen'][column]:.1%}".rjust(10) for column in columns]  # type: ignore[index]
        lines.append(name.ljust(10) + f"{row['n']:,}".rjust(8) + "".join(cells))
    total = table["all"]["agree"]
    return "\n".join(
        [
            "what the majority of ten people saw (none: a tie, contempt, unknown or no face)",
            *lines,
            f"it is FER-2013's label for {total:.1%} of the images",
        ]
    )


def to_csv(dataset: Dataset, votes: NDArray[np.float32]) -> str:
    """The votes by file name, with the class before a name that several images have.

    Images without votes are left out.
    """
    shared = {base for base, many in Counter(map(_base, dataset.names)).items() if many > 1}
    files = [
        "/".join(name.split("/")[-2 if _base(name) in shared else -1 :]) for name in dataset.names
    ]
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["file", *VOTE_COLUMNS])
    for i in sorted(range(len(files)), key=files.__getitem__):
        if votes[i].any():
            writer.writerow([files[i], *(f"{value:.6g}" for value in votes[i])])
    return out.getvalue()


def _base(name: str) -> str:
    """Of "train/angry/Training_1.jpg" "Training_1": an exported folder holds it as PNG."""
    return name.rsplit("/", 1)[-1].rsplit(".", 1)[0]


def _with_class(name: str) -> str:
    return "/".join(name.rsplit(".", 1)[0].split("/")[-2:])


def _of_ferplus(
    path: Path, dataset: Dataset, rows: list[dict[str, str]], table: NDArray[np.float32]
) -> NDArray[np.float32]:
    row_of_name = {_base(row["Image name"] or ""): number for number, row in enumerate(rows)}
    index = _index()
    wanted: list[list[int]] = []
    for name, split in zip(dataset.names, dataset.splits, strict=True):
        base = _base(name)
        match = re.fullmatch(r"row(\d+)", base)
        if match is None:
            numbers = index.get(_with_class(name), index.get(base, []))
            images = [f"fer{number:07d}" for number in numbers]
            wanted.append([row_of_name[image] for image in images if image in row_of_name])
            continue
        number = int(match[1])
        if number >= len(rows) or rows[number].get("Usage", "").strip() != _USAGE[str(split)]:
            raise UserError(
                f"row {number} of {path} is not that of the data's csv; "
                "give the fer2013.csv and the fer2013new.csv that belong together, whole."
            )
        wanted.append([number])
    return _means(table, wanted)


def _index() -> dict[str, list[int]]:
    """Numbers of FER+'s images by Kaggle's file name without suffix, some with their class."""
    with gzip.open(INDEX, "rt", encoding="ascii", newline="") as file:
        reader = csv.reader(file)
        next(reader)
        return {name.rsplit(".", 1)[0]: [int(n) for n in found.split()] for name, found in reader}


def _means(table: NDArray[np.float32], wanted: list[list[int]]) -> NDArray[np.float32]:
    out = np.zeros((len(wanted), len(VOTE_COLUMNS)), np.float32)
    for i, rows in enumerate(wanted):
        if rows:
            out[i] = table[rows].mean(axis=0)
    return out
