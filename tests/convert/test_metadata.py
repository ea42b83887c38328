"""What the metadata say of data, people and origin."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from mien.errors import UserError
from mien_convert.evaluate import ValidationResult, validation_faces
from mien_convert.metadata import creation_time, licences, metrics, read_run
from mien_train.data.fer2013 import load
from mien_train.data.ferplus import counts, majority
from mien_train.data.labels import VOTE_COLUMNS


def write_votes(path: Path, names: list[str], votes: np.ndarray) -> None:
    rows = [",".join(["file", *VOTE_COLUMNS])]
    rows += [
        ",".join([name.split("/")[-1], *map(str, counts)])
        for name, counts in zip(names, votes.tolist(), strict=True)
    ]
    path.write_text("\n".join(rows) + "\n")


def test_metrics_with_votes_measure_people_where_they_agree(
    small_data: Path, tmp_path: Path
) -> None:
    data = load(small_data)
    validation = data.select(data.splits == "validation")
    votes = np.zeros((len(validation), 10), int)
    votes[:, VOTE_COLUMNS.index("happiness")] = 8
    votes[:10, VOTE_COLUMNS.index("happiness")] = 5
    votes[:10, VOTE_COLUMNS.index("sadness")] = 5
    write_votes(tmp_path / "votes.csv", validation.names, votes)
    people = majority(counts(tmp_path / "votes.csv", validation))
    assert np.bincount(people + 1).tolist() == [10, 0, 0, 0, 200]
    happy = np.zeros((len(validation), 7), np.float32)
    happy[:, 3] = 2
    reading = ValidationResult(happy, happy, people, 1.0, happy[None])
    copied = np.arange(len(validation)) < 7
    found = metrics(reading, validation, copied, people)
    assert found["judged_by"] == "votes"
    assert (found["agreement"], found["mean_kl"]) == (1.0, 0.0)
    assert (found["n"], found["people"]["n"], found["without_duplicates"]["n"]) == (210, 200, 203)
    assert found["people"]["int8"]["accuracy"] == 1.0
    assert found["people"]["without_duplicates"]["n"] == 200  # the copies are among the ties
    assert found["int8"]["accuracy"] == pytest.approx(1 / 7, abs=1e-5)
    assert found["people"]["int8"]["recall"]["sad"] is None
    without = metrics(reading, validation, copied, None)
    assert "people" not in without
    assert without["judged_by"] == "fer2013"


def test_validation_faces_with_limit_keep_class_proportions(small_data: Path) -> None:
    data = load(small_data)
    part = validation_faces(data, 70, seed=7)
    assert np.bincount(part.labels).tolist() == [10] * 7
    assert set(part.splits) == {"validation"}
    assert len(validation_faces(data, None, seed=7)) == 210
    with pytest.raises(UserError, match="no validation split"):
        validation_faces(data.select(data.splits == "train"), None, seed=7)


def test_read_run_cuts_absolute_paths(tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    path.write_text(
        '{"data": "/somewhere/fer.zip", "recipe": {"weights": "C:\\\\w\\\\x.h5", "alpha": 0.35},'
        ' "files": ["/a/b.csv", "runs/b.csv"]}'
    )
    assert read_run(path) == {
        "data": "fer.zip",
        "recipe": {"weights": "x.h5", "alpha": 0.35},
        "files": ["b.csv", "runs/b.csv"],
    }
    assert read_run(tmp_path / "none.json") == {}
    path.write_text("[1, 2")
    assert read_run(path) == {}


def test_licences_name_imagenet_and_teachers_only_where_used() -> None:
    assert "ImageNet weights" in licences({"weights": "mobilenet_v2.h5"})
    assert "ImageNet weights" not in licences({"weights": "none"})
    assert "ImageNet weights" not in licences({"recipe": {"weights": None}})
    assert "FER-2013" in licences({})
    assert "face-api, a teacher" not in licences({"teachers": [{"file": "mien/model.keras"}]})
    taught = licences({"teachers": [{"file": "face-api/model.keras"}]})
    assert "MIT" in taught["face-api, a teacher"]


def test_creation_time_follows_source_date_epoch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "0")
    assert creation_time() == "1970-01-01T00:00:00+00:00"
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "yesterday")
    with pytest.raises(UserError, match="SOURCE_DATE_EPOCH"):
        creation_time()
    monkeypatch.delenv("SOURCE_DATE_EPOCH")
    assert creation_time() > "2024"
