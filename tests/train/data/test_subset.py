"""Honest subsets: what is left out, how it is written down, that a seed means the same anywhere."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from mien.errors import UserError
from mien_train.data.fer2013 import Dataset, load
from mien_train.data.ferplus import to_csv
from mien_train.data.labels import LABELS, VOTE_COLUMNS, VOTE_OF_LABEL
from mien_train.data.subset import (
    balanced,
    full,
    indices_of,
    manifest_text,
    read_manifest,
)
from small_fer import pack

Run = Callable[..., tuple[int, str, str]]


def made(*rows: tuple[str, str, str]) -> Dataset:
    """A data set of (split, label, content), where equal content means equal pixels."""
    images = np.array([np.full((48, 48), ord(c), np.uint8) for _, _, c in rows])
    return Dataset(
        names=[f"{s}/{label}/{i:03d}.jpg" for i, (s, label, _) in enumerate(rows)],
        images=images,
        labels=np.array([LABELS.index(label) for _, label, _ in rows]),
        splits=np.array([s for s, _, _ in rows]),
        sha256=[hashlib.sha256(image.tobytes()).hexdigest() for image in images],
        problems=[],
    )


def test_full_leaves_out_copies_conflicts_and_test_images() -> None:
    data = made(
        ("train", "happy", "a"),  # 0: kept
        ("train", "happy", "a"),  # a copy
        ("train", "sad", "b"),  # two labels
        ("train", "fear", "b"),
        ("train", "sad", "c"),  # stands in validation
        ("validation", "sad", "c"),
        ("train", "sad", "d"),  # stands in test, there with another label
        ("test", "angry", "d"),
        ("validation", "sad", "e"),
        ("train", "angry", "f"),  # 9: kept
    )
    assert full(data).tolist() == [0, 9]


def test_balanced_takes_the_size_of_the_smallest_class(fer: Path) -> None:
    data = load(fer)
    honest = np.bincount(data.labels[full(data)]).tolist()
    # surprise lost one to a conflict with fear, sad one to PublicTest.
    assert honest == [17, 16, 16, 16, 17, 15, 15]
    chosen = balanced(data, 7)
    assert np.bincount(data.labels[chosen]).tolist() == [15] * 7
    assert set(chosen) <= set(full(data))
    assert len({data.sha256[i] for i in chosen}) == len(chosen)
    few = balanced(data, 7, 4)
    assert np.bincount(data.labels[few]).tolist() == [4] * 7
    assert set(few) <= set(chosen)
    assert set(balanced(data, 8, 4)) != set(few)


def test_balanced_with_one_seed_chooses_known_images(fer: Path, tmp_path: Path) -> None:
    """The order is written out here anew, from nothing but SHA-256 and the pixels."""
    data = load(fer)
    for seed in (7, 8):
        happy = [i for i in full(data) if LABELS[data.labels[i]] == "happy"]
        happy.sort(key=lambda i: hashlib.sha256(f"{seed}|{data.sha256[i]}".encode()).hexdigest())
        chosen = [i for i in balanced(data, seed, 5) if LABELS[data.labels[i]] == "happy"]
        assert chosen == sorted(happy[:5])
    zipped = load(pack(fer, tmp_path / "fer.zip"))
    assert balanced(zipped, 7).tolist() == balanced(data, 7).tolist()


def test_subset_command_writes_a_manifest_that_reads_back(
    fer: Path, tmp_path: Path, mien_train: Run
) -> None:
    out = tmp_path / "sub" / "subset.csv"
    code, text, err = mien_train("subset", fer, "--seed", 3, "--out", out)
    assert (code, err) == (0, "")
    assert "105 images, angry 15, disgust 15" in text
    assert hashlib.sha256(out.read_bytes()).hexdigest() in text
    assert b"\r" not in out.read_bytes()
    assert "pixel bytes" in out.read_text()
    rows = read_manifest(out)
    data = load(fer)
    assert indices_of(data, rows).tolist() == balanced(data, 3).tolist()
    assert [row.sha256 for row in rows] == [data.sha256[i] for i in balanced(data, 3)]
    first = out.read_bytes()
    mien_train("subset", fer, "--seed", 3, "--out", out)
    assert out.read_bytes() == first
    assert [file.name for file in out.parent.iterdir()] == ["subset.csv"]


def test_subset_command_names_classes_that_fall_short(
    fer: Path, tmp_path: Path, mien_train: Run
) -> None:
    code, text, err = mien_train("subset", fer, "--per-class", 17, "--out", tmp_path / "s.csv")
    assert code == 0
    assert "angry 17, disgust 16" in text
    assert err.splitlines()[0] == "disgust has only 16 such images, not 17: all are in"
    assert len(err.splitlines()) == 5


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda t: "", "not a manifest"),
        (lambda t: t.replace("path,label,sha256", "path,label"), "not a manifest"),
        (lambda t: t.replace(",happy,", ",hapy,"), "not a manifest"),
        (lambda t: t.replace("train/happy/Training_3", "train/happy/Other_3"), "does not hold"),
        (lambda t: t.replace("/happy/Training_3", "/sad/Training_5", 1), "not the image"),
        (lambda t: t.replace(",happy,", ",sad,", 1), "not the image"),
    ],
)
def test_indices_of_a_manifest_of_other_data_raises(
    fer: Path, tmp_path: Path, mien_train: Run, change: Callable[[str], str], words: str
) -> None:
    out = tmp_path / "s.csv"
    mien_train("subset", fer, "--out", out, "--per-class", 15)
    out.write_text(change(out.read_text()))
    data = load(fer)
    with pytest.raises(UserError, match=words):
        indices_of(data, read_manifest(out))


def test_read_manifest_with_an_endless_field_raises(tmp_path: Path) -> None:
    path = tmp_path / "subset.csv"
    path.write_text("path,label,sha256\n" + "x" * 200_000 + ",happy,0\n")
    with pytest.raises(UserError, match="is not a manifest"):
        read_manifest(path)


def test_read_manifest_without_a_file_raises(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="mien-train subset DATA"):
        read_manifest(tmp_path / "none.csv")


def test_subset_command_to_an_unwritable_place_exits_2(
    fer: Path, tmp_path: Path, mien_train: Run
) -> None:
    (tmp_path / "file").write_text("x")
    code, _, err = mien_train("subset", fer, "--out", tmp_path / "file" / "s.csv")
    assert code == 2
    assert "--out" in err


def test_balanced_of_real_data_has_known_counts(real: Dataset) -> None:
    data = real
    assert np.bincount(data.labels[balanced(data, 7)]).tolist() == [366] * 7
    # What seed 7 means, on any machine and with any version of NumPy.
    text = manifest_text(data, balanced(data, 7), "balanced subset, honest: 2562 images, seed 7")
    assert hashlib.sha256(text.encode()).hexdigest() == (
        "f2dc54efc9e120b83a227ed38f7611c381806d255e8ba2cb75e97538300938f8"
    )
    honest = np.bincount(data.labels[full(data)]).tolist()
    assert honest == [3804, 366, 3842, 7057, 4845, 4693, 2563]


def test_subset_command_by_votes_balances_majorities(
    fer: Path, tmp_path: Path, mien_train: Run
) -> None:
    """People call every happy face surprised and agree about no sad one."""
    data = load(fer)
    votes = np.zeros((len(data), 10), np.float32)
    seen = dict(zip(LABELS, VOTE_OF_LABEL, strict=True)) | {"happy": "surprise"}
    for i, label in enumerate(data.labels):
        if LABELS[label] == "sad":
            votes[i, [VOTE_COLUMNS.index("fear"), VOTE_COLUMNS.index("sadness")]] = 5
        else:
            votes[i, VOTE_COLUMNS.index(seen[LABELS[label]])] = 10
    file, out = tmp_path / "votes.csv", tmp_path / "subset.csv"
    file.write_text(to_csv(data, votes))
    words = ("subset", fer, "--out", out, "--labels", "votes")
    code, text, err = mien_train(*words, "--ferplus", file, "--per-class", 20)
    assert code == 0, err
    assert "happy 0" in text
    assert "sad 0" in text
    # Of the 15 and 16 honest ones of both; the pair of fear and surprise still has two labels.
    assert "surprise 20" in text
    assert "sad has only 0 such images, not 20" in err
    rows = read_manifest(out)
    assert "by people's votes" in out.read_text().splitlines()[0]
    assert {row.label for row in rows} == set(LABELS) - {"sad"}
    assert len(indices_of(data, rows)) == len(rows)
    code, _, err = mien_train(*words)
    assert code == 2
    assert "needs --votes" in err
