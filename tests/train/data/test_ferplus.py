"""FER+'s votes reach the right images, by row, by number and by name."""

from __future__ import annotations

import csv
import gzip
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from mien.errors import UserError
from mien_train.data import ferplus as joined
from mien_train.data.fer2013 import Dataset, load
from mien_train.data.ferplus import agreement, counts, distribution, majority
from mien_train.data.labels import LABELS, VOTE_COLUMNS
from mien_train.evaluation.evaluate import evaluate, to_text

Run = Callable[..., tuple[int, str, str]]


def ten(**votes: float) -> list[float]:
    return [votes.get(name, 0) for name in VOTE_COLUMNS]


VOTES = np.array(
    [
        ten(anger=6, neutral=3, fear=1),
        ten(happiness=5, surprise=5),
        ten(contempt=6, neutral=4),
        ten(NF=10),
        ten(),
        ten(fear=1, disgust=1, unknown=8),
        ten(disgust=4, sadness=2.5, anger=1, unknown=2.5),
    ],
    np.float32,
)


def test_distribution_drops_single_votes_and_other_columns() -> None:
    found = distribution(VOTES)
    assert found.dtype == np.float32
    expected = np.zeros((7, 7))
    expected[0, [0, 4]] = 6 / 9, 3 / 9  # the stray vote for fear is dropped
    expected[1, [3, 6]] = 0.5
    expected[2, 4] = 1  # contempt is none of the seven
    expected[6, [1, 5]] = 4 / 6.5, 2.5 / 6.5
    assert found == pytest.approx(expected, abs=1e-6)


def test_majority_of_ties_and_other_columns_is_minus_1() -> None:
    assert majority(VOTES).tolist() == [0, -1, -1, -1, -1, -1, 1]
    assert majority(VOTES, ties_to_first=True).tolist() == [0, 3, -1, -1, -1, -1, 1]


def test_agreement_counts_votes_by_label() -> None:
    found = agreement(np.array([0, 0, 4, 3, 3, 2, 5]), VOTES)
    assert found["angry"] == {
        "n": 2,
        "agree": 0.5,
        "seen": {**dict.fromkeys(LABELS, 0.0), "angry": 0.5, "none": 0.5},
    }
    assert found["happy"]["n"] == 1  # the other has no votes
    assert found["all"]["n"] == 6
    assert found["all"]["agree"] == pytest.approx(1 / 6)
    assert "surprise" not in found


@pytest.fixture
def microsoft(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A fer2013new.csv of six rows, numbered as FER+ does: one row has no name and no number."""
    rows = [
        ("fer0000000.png", VOTES[0]),
        ("", ten(NF=10)),
        ("fer0000001.png", VOTES[1]),
        ("fer0000002.png", VOTES[2]),
        ("fer0000003.png", VOTES[6]),
        ("fer0000004.png", ten(surprise=10)),
    ]
    with (tmp_path / "fer2013new.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["Usage", "Image name", *VOTE_COLUMNS])
        for name, votes in rows:
            writer.writerow(["Training", name, *(f"{v:g}" for v in votes)])
    index = "file,ferplus_images\nTraining_1.jpg,0 3\nTraining_2.jpg,1\nsad/Training_3.jpg,4\n"
    with gzip.open(tmp_path / "index.csv.gz", "wt") as file:
        file.write(index)
    monkeypatch.setattr(joined, "INDEX", tmp_path / "index.csv.gz")
    return tmp_path / "fer2013new.csv"


def named(*names: str) -> Dataset:
    return Dataset(
        names=list(names),
        images=np.zeros((len(names), 48, 48), np.uint8),
        labels=np.array([LABELS.index(name.split("/")[1]) for name in names]),
        splits=np.array(["train"] * len(names)),
        sha256=["0"] * len(names),
        problems=[],
    )


KAGGLE = named(
    "train/angry/Training_1.jpg",  # FER+ has it twice: the mean
    "train/happy/Training_2.png",  # exported as PNG
    "train/happy/Training_3.jpg",  # bears the name of the next, which the index means
    "train/sad/Training_3.jpg",
    "train/sad/Training_9.jpg",  # FER+ took it for no face
)


def test_counts_joins_kaggle_files_by_number(microsoft: Path) -> None:
    found = counts(microsoft, KAGGLE)
    assert found.shape == (5, 10)
    assert found[0] == pytest.approx((VOTES[0] + VOTES[6]) / 2)
    assert found[1].tolist() == VOTES[1].tolist()
    assert not found[2].any()
    assert found[3].tolist() == ten(surprise=10)
    assert not found[4].any()


def test_counts_joins_csv_rows_by_row(microsoft: Path) -> None:
    found = counts(microsoft, named("train/sad/row00004.png", "train/sad/row00001.png"))
    assert found.tolist() == [VOTES[6].tolist(), ten(NF=10)]


def test_counts_with_rows_of_another_csv_raises(microsoft: Path) -> None:
    data = named("train/sad/row00004.png")
    with pytest.raises(UserError, match="belong together"):
        counts(microsoft, replace(data, splits=np.array(["test"])))
    with pytest.raises(UserError, match="belong together"):
        counts(microsoft, named("train/sad/row00006.png"))


def test_to_csv_reads_back_as_the_same_counts(microsoft: Path, tmp_path: Path) -> None:
    found = counts(microsoft, KAGGLE)
    text = joined.to_csv(KAGGLE, found)
    assert text.splitlines()[0] == "file," + ",".join(VOTE_COLUMNS)
    assert [line.split(",")[0] for line in text.splitlines()[1:]] == [
        "Training_1.jpg",
        "Training_2.png",
        "sad/Training_3.jpg",
    ]
    (tmp_path / "votes.csv").write_text(text)
    assert counts(tmp_path / "votes.csv", KAGGLE) == pytest.approx(found)


def test_counts_of_an_ambiguous_name_is_zero(tmp_path: Path) -> None:
    line = ",".join(map(str, ten(surprise=10)))
    (tmp_path / "votes.csv").write_text(
        f"file,{','.join(VOTE_COLUMNS)}\nTraining_2.jpg,{line}\nTraining_3.jpg,{line}\n"
    )
    found = counts(tmp_path / "votes.csv", KAGGLE)
    assert found.any(axis=1).tolist() == [False, True, False, False, False]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (None, "cannot be read"),
        ("emotion,pixels,Usage\n0,1,Training\n", "holds no FER\\+ votes"),
        ("", "holds no FER\\+ votes"),
        (f"file,{','.join(VOTE_COLUMNS)}\nTraining_1.jpg,many,0,0,0,0,0,0,0,0,0\n", "holds no FER"),
        (f"file,{','.join(VOTE_COLUMNS)}\nother.jpg,1,0,0,0,0,0,0,0,0,9\n", "for none of the"),
        *(
            (
                f"file,{','.join(VOTE_COLUMNS)}\nTraining_1.jpg,{cell},0,0,0,0,0,0,0,0,9\n",
                "holds no FER",
            )
            for cell in ("nan", "1e400", "-1", "9" * 200_000)
        ),
    ],
)
def test_counts_of_another_file_raises(tmp_path: Path, text: str | None, words: str) -> None:
    path = tmp_path / "votes.csv"
    if text is not None:
        path.write_text(text)
    with pytest.raises(UserError, match=words):
        counts(path, KAGGLE)


def test_votes_command_writes_votes_and_agreement(
    fer: Path, tmp_path: Path, mien_train: Run
) -> None:
    data = load(fer)
    ferplus, out = tmp_path / "by_name.csv", tmp_path / "sub" / "votes.csv"
    votes = np.zeros((len(data), 10), np.float32)
    # Everybody sees happiness, where they see anything.
    votes[data.splits == "train", VOTE_COLUMNS.index("happiness")] = 10
    ferplus.write_text(joined.to_csv(data, votes))
    code, text, err = mien_train("votes", fer, "--ferplus", ferplus, "--out", out)
    assert (code, err) == (0, "")
    assert "votes for 116 of 152 images" in text
    assert f"label for {17 / 116:.1%} of the images" in text
    assert out.read_text() == ferplus.read_text()
    code, text, _ = mien_train("audit", fer, "--votes", out)
    assert code == 0
    assert f"label for {17 / 116:.1%} of the images" in text


def test_evaluate_command_with_votes_scores_people_too(fer: Path) -> None:
    data = load(fer)
    votes = np.zeros((len(data), 10), np.float32)
    part = np.flatnonzero(data.splits == "validation")
    votes[part[:10], VOTE_COLUMNS.index("happiness")] = 6
    votes[part[10:16], VOTE_COLUMNS.index("sadness")] = 6
    votes[part[16], VOTE_COLUMNS.index("NF")] = 10
    votes[part[17], [VOTE_COLUMNS.index("happiness"), VOTE_COLUMNS.index("sadness")]] = 5

    def always_happy(images: np.ndarray) -> np.ndarray:
        return np.tile(np.eye(7, dtype=np.float32)[3] * 9, (len(images), 1))

    found, _ = evaluate(always_happy, data, "validation", votes)
    assert found["people"]["n"] == 16
    assert found["people"]["accuracy"] == pytest.approx(10 / 16)
    assert found["people_ties_to_first"]["n"] == 17
    assert found["people_ties_to_first"]["accuracy"] == pytest.approx(11 / 17)
    assert evaluate(always_happy, data, "validation")[0]["people"] is None


def test_index_covers_the_real_archive(real: Dataset) -> None:
    """All files but the 159 that FER+ took for no faces are in the index, under their names."""
    index = joined._index()
    names = {name.rsplit(".", 1)[0] for name in real.names}
    keys = {name for name in names if name.split("/", 2)[2] in index}
    keys |= {name for name in names if name.split("/", 1)[1] in index}
    assert len(real) - len(keys) == 159
    numbers = {number for found in index.values() for number in found}
    assert (min(numbers), max(numbers)) == (0, 35801)
    assert len(numbers) > 34000


def test_evaluate_command_by_votes_uses_people_as_truth(
    fer: Path, tmp_path: Path, mien_train: Run
) -> None:
    """The table and the plots are by the truth that was asked for; the other stands beside."""
    data = load(fer)
    votes = np.zeros((len(data), 10), np.float32)
    part = np.flatnonzero(data.splits == "validation")
    votes[part[:10], VOTE_COLUMNS.index("happiness")] = 6
    votes[part[10:12], VOTE_COLUMNS.index("sadness")] = 6

    def always_happy(images: np.ndarray) -> np.ndarray:
        return np.tile(np.eye(7, dtype=np.float32)[3] * 9, (len(images), 1))

    found, reliability = evaluate(always_happy, data, "validation", votes, "votes")
    assert (found["all"]["n"], found["benchmark"]["n"]) == (12, 22)
    assert found["all"] == found["people"]
    assert reliability.count.sum() == 12
    assert found["benchmark"]["accuracy"] == pytest.approx(3 / 22)
    text = to_text(found)
    assert text.splitlines()[0].split()[-2:] == ["fer2013", "agreed"]
    assert found["labels"] == "votes"
    code, _, err = mien_train("evaluate", tmp_path, fer, "--labels", "votes")
    assert code == 2
    assert "needs --votes" in err
