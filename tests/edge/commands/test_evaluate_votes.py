"""`mien eval --votes`: what people saw as the second truth, by file name."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from made import LABELS, is_one_sentence, write_faces
from mien.errors import UserError
from mien.evaluation.ferplus import (
    COLUMNS,
    agreed,
    majority,
    microsoft_majority,
    read_votes,
    voters_agreeing,
)

Mien = Callable[..., tuple[int, str, str]]
COLUMN = {label: column for column, label in COLUMNS.items() if label}


def write_votes(path: Path, rows: dict[str, dict[str, float]]) -> Path:
    lines = [",".join(["file", *COLUMNS])]
    lines += [
        ",".join([name, *(str(votes.get(column, 0)) for column in COLUMNS)])
        for name, votes in rows.items()
    ]
    path.write_text("\n".join(lines) + "\n")
    return path


def test_the_majority_reaches_the_face_of_that_name(tmp_path: Path) -> None:
    votes = write_votes(
        tmp_path / "votes.csv",
        {
            "a_1.jpg": {"anger": 6, "fear": 4},
            "a_2.png": {"happiness": 5, "sadness": 5},  # a tie
            "a_3.jpg": {"contempt": 9, "anger": 1},  # none of the seven
            "happy/b_1.jpg": {"surprise": 7},  # its name occurs twice, with the folder it does not
            "b_1.jpg": {"sadness": 9},
        },
    )
    names = [
        *("test/happy/a_1.jpg", "test/sad/a_2.jpg", "test/sad/a_3.jpg", "test/sad/a_4.jpg"),
        *("test/happy/b_1.jpg", "test/sad/b_1.jpg"),
    ]
    found = majority(read_votes(votes, names), LABELS)
    assert found.tolist() == [LABELS.index("angry"), -1, -1, -1, LABELS.index("surprise"), -1]
    with pytest.raises(UserError, match="for none of the faces"):
        read_votes(votes, ["test/happy/other.jpg"])


def test_the_device_and_the_workstation_read_the_same_votes(tmp_path: Path) -> None:
    joined = pytest.importorskip("mien_train.data.ferplus")
    from mien_train.data.fer2013 import Dataset

    rng = np.random.default_rng(2)
    names = [f"train/{label}/x_{label}_{i}.jpg" for label in LABELS for i in range(9)]
    given = rng.integers(0, 4, (len(names), len(COLUMNS))).astype(float)
    rows = {
        n.rsplit("/")[-1]: dict(zip(COLUMNS, v, strict=True))
        for n, v in zip(names, given, strict=True)
    }
    path = write_votes(tmp_path / "votes.csv", rows)
    blank = np.zeros((len(names), 48, 48), np.uint8)
    labels, splits = np.zeros(len(names), np.int64), np.array(["train"] * len(names))
    data = Dataset(names, blank, labels, splits, [""] * len(names), [])
    theirs = joined.majority(joined.counts(path, data))
    assert majority(read_votes(path, names), LABELS).tolist() == theirs.tolist()
    assert (theirs >= 0).any()
    assert (theirs < 0).any()


def test_both_truths_are_measured(mien: Mien, model_path: Path, tmp_path: Path) -> None:
    """People call every face what its folder says, but for the sad ones, which look angry."""
    data = write_faces(tmp_path / "data", 2, "x_")
    for label in LABELS:  # names of their own, as in FER-2013
        for file in (data / label).iterdir():
            file.rename(file.with_name(f"{label}_{file.name}"))
    rows = {
        file.name: {COLUMN["angry" if label == "sad" else label]: 8}
        for label in LABELS
        for file in (data / label).iterdir()
        if file.name != "fear_x_1.png"  # no votes for this one
    }
    votes = write_votes(tmp_path / "votes.csv", rows)
    words = ("eval", data, "--model", model_path, "--votes", votes)
    code, out, err = mien(*words, "--json")
    assert (code, err) == (0, "")
    found = json.loads(out)
    assert (found["truth"], found["n"], found["accuracy"]) == ("fer2013", 14, 1.0)
    assert (found["people"]["n"], found["people"]["accuracy"]) == (13, pytest.approx(11 / 13))
    assert found["people"]["recall"]["sad"] is None
    _, out, _ = mien(*words, "--labels", "votes", "--json")
    turned = json.loads(out)
    assert (turned["truth"], turned["n"], turned["benchmark"]["n"]) == ("votes", 13, 14)
    assert turned["accuracy"] == pytest.approx(11 / 13)
    _, out, _ = mien(*words, "--labels", "votes")
    accuracy = next(line for line in out.splitlines() if line.startswith("accuracy"))
    assert accuracy.split()[1::2] == ["84.6", "100.0", "100.0"]  # people, benchmark, agreed


def test_truths_of_votes_by_hand() -> None:
    # neutral, happiness, surprise, sadness, anger, disgust, fear, contempt, unknown, no face
    votes = np.array(
        [
            [1, 9, 0, 0, 0, 0, 0, 0, 0, 0],  # happy, nine agree
            [5, 5, 0, 0, 0, 0, 0, 0, 0, 0],  # a tie, and not more than half
            [4, 0, 0, 3, 3, 0, 0, 0, 0, 0],  # neutral, but not by more than half
            [1, 1, 1, 3, 2, 0, 1, 1, 0, 0],  # single votes dropped: sad has 3 of 5
            [0, 0, 0, 2, 0, 0, 0, 8, 0, 0],  # contempt
            [0, 0, 0, 0, 0, 0, 0, 0, 10, 0],  # unknown
            [0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        ],
        float,
    )
    happy, neutral, sad = (LABELS.index(name) for name in ("happy", "neutral", "sad"))
    assert majority(votes, LABELS).tolist() == [happy, -1, neutral, sad, -1, -1, -1]
    assert majority(votes, LABELS, ties_to_first=True)[1] == neutral
    assert microsoft_majority(votes, LABELS).tolist() == [happy, -1, -1, sad, 7, -1, -1]
    assert agreed(votes, np.array([happy] * 7), LABELS).tolist() == [happy] + [-1] * 6
    assert voters_agreeing(votes).tolist() == [9, 5, 4, 3, 8, 10, 0]


def test_refusals(mien: Mien, model_path: Path, tmp_path: Path) -> None:
    data = write_faces(tmp_path / "data", 1)
    text = tmp_path / "votes.csv"
    text.write_text("Usage,Image name,neutral\n")
    for words, reason in (
        (("--labels", "votes"), "--votes FILE"),
        (("--labels", "people"), "--labels must be fer2013"),
        (("--votes", tmp_path / "none.csv"), "cannot be read"),
        (("--votes", text), "mien-train votes"),
    ):
        code, out, err = mien("eval", data, "--model", model_path, *words)
        assert (code, out) == (2, "")
        assert is_one_sentence(err, reason)
