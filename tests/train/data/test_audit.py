"""The audit finds what was put into the data, and nothing else."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
from mien_train.data.audit import audit
from mien_train.data.duplicates import (
    has_near_twin,
    has_twin,
    identical_groups,
    near_duplicate_groups,
    near_pairs,
)
from mien_train.data.fer2013 import Dataset, digest, load
from small_fer import BAD, face

Run = Callable[..., tuple[int, str, str]]


def names(data: Dataset, groups: list[np.ndarray]) -> set[tuple[str, ...]]:
    return {tuple(data.names[i] for i in group) for group in groups}


IDENTICAL = {
    ("train/happy/Training_300.jpg", "train/happy/Training_900.jpg"),
    ("train/fear/Training_901.jpg", "train/surprise/Training_602.jpg"),
    ("test/sad/PublicTest_902.jpg", "train/sad/Training_503.jpg"),
}
NEAR = {
    ("train/neutral/Training_404.jpg", "train/neutral/Training_903.jpg"),
    ("test/angry/PublicTest_001.jpg", "train/angry/Training_904.jpg"),
}


def test_audit_finds_duplicate_groups_across_splits_and_labels(fer: Path) -> None:
    data = load(fer)
    assert names(data, identical_groups(data)) == IDENTICAL
    assert names(data, near_duplicate_groups(data)) == IDENTICAL | NEAR


def test_has_twin_marks_exact_and_near_copies(fer: Path) -> None:
    data = load(fer)
    train, validation = (data.select(data.splits == split) for split in ("train", "validation"))
    exact, near = has_twin(validation, train), has_near_twin(validation, train)
    assert [validation.names[i] for i in np.flatnonzero(exact)] == ["test/sad/PublicTest_902.jpg"]
    assert [validation.names[i] for i in np.flatnonzero(near)] == [
        "test/angry/PublicTest_001.jpg",
        "test/sad/PublicTest_902.jpg",
    ]


def test_near_pairs_finds_altered_photographs() -> None:
    """A photograph is found again after what happens to photographs; blank images are not alike."""
    images = [face(seed) for seed in range(120)]
    stamped = face(1).copy()
    cv2.putText(stamped, "stock", (2, 30), cv2.FONT_HERSHEY_SIMPLEX, 0.4, 255)
    darker = (face(2) * 0.4).astype(np.uint8)
    moved = face(3, dy=-2, dx=2)
    softer = cv2.resize(cv2.resize(face(4), (32, 32)), (48, 48))
    blank = [np.full((48, 48), level, np.uint8) for level in (0, 0, 255, 128)]
    found = near_pairs(np.stack([*images, stamped, darker, moved, softer, *blank]))
    assert found.tolist() == [[1, 120], [2, 121], [3, 122], [4, 123]]


def test_near_duplicate_groups_are_transitive(fer: Path) -> None:
    data = load(fer)
    moved = [face(9999, dx=dx) for dx in (0, 3, 6)]  # the first and the last are too far apart
    images = np.concatenate([data.images, np.stack(moved)])
    n = len(data)
    grown = replace(
        data,
        names=[*data.names, "train/happy/a.jpg", "train/happy/b.jpg", "train/happy/c.jpg"],
        images=images,
        labels=np.append(data.labels, [3, 3, 3]),
        splits=np.append(data.splits, ["train"] * 3),
        sha256=[digest(image) for image in images],
    )
    assert [n, n + 1, n + 2] in [group.tolist() for group in near_duplicate_groups(grown)]


def test_audit_command_prints_counts_and_groups(fer: Path, mien_train: Run) -> None:
    code, text, _ = mien_train("audit", fer)
    assert code == 0
    lines = [" ".join(line.split()) for line in text.splitlines()]
    assert "class train validation test" in lines
    assert "happy 17 3 2" in lines
    assert "all 116 22 14" in lines
    assert "unreadable or odd-sized files, skipped: 5" in lines
    for name, reason in BAD.items():
        assert f"{name}: {reason}" in lines
    assert "byte-identical: 6 files in 3 groups" in lines
    assert "identical or nearly: 10 files in 5 groups" in lines
    assert "1 groups across splits, 1 with two labels" in lines
    assert "2 groups across splits, 1 with two labels" in lines
    assert "1 of 22 validation images (4.5%) have a copy in train" in lines
    assert "0 of 14 test images (0.0%) have a copy in train" in lines


def test_audit_command_with_json_names_all_members(fer: Path, mien_train: Run) -> None:
    code, text, _ = mien_train("audit", fer, "--json")
    assert code == 0
    found = json.loads(text)
    assert found["images"] == 152
    assert found["counts"]["train"]["fear"] == 17
    assert {p["name"]: p["reason"] for p in found["problems"]} == BAD
    identical = found["identical"]
    assert (identical["files"], identical["groups"]) == (6, 3)
    assert (identical["across_splits"], identical["two_labels"]) == (1, 1)
    members = {tuple(m["name"] for m in group) for group in identical["members"]}
    assert members == IDENTICAL
    assert found["near_identical"]["twin_in_train"] == {"validation": 2, "test": 0}


def test_audit_of_clean_data_finds_nothing(clean: Path) -> None:
    found = audit(load(clean))
    assert found["identical"]["members"] == found["near_identical"]["members"] == []
    assert found["blank"] == []


def test_audit_of_real_data_has_known_groups(real: Dataset) -> None:
    data = real
    groups = identical_groups(data)
    splits = [len(set(data.splits[g].tolist())) > 1 for g in groups]
    labels = [len(set(data.labels[g].tolist())) > 1 for g in groups]
    counted = (sum(map(len, groups)), len(groups), sum(splits), sum(labels))
    assert counted == (2805, 1273, 270, 47)
    train, validation = (data.select(data.splits == split) for split in ("train", "validation"))
    assert has_twin(validation, train).sum() == 280
    # Disgust alone, so that the test is quick.
    disgust = [part.select(part.labels == 1) for part in (validation, train)]
    exact, near = has_twin(*disgust).sum(), has_near_twin(*disgust).sum()
    assert exact == 14
    # The average face, and with it the likeness, is not quite that of the whole set.
    assert 22 <= near <= 28
