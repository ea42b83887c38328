"""Which faces the converter calibrates on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from mien.errors import UserError
from mien_convert.evaluate import calibration_faces
from mien_train.data.fer2013 import Dataset, digest, load


def test_calibration_faces_are_distinct_and_balanced(small_data: Path) -> None:
    data = load(small_data)
    faces = calibration_faces(data, 500, seed=7)
    label_of = {s: int(k) for s, k in zip(data.sha256, data.labels, strict=True)}
    digests = [digest(face) for face in faces]
    assert np.bincount([label_of[d] for d in digests]).tolist() == [72] * 7
    assert len(set(digests)) == len(faces) >= 500
    elsewhere = {s for s, split in zip(data.sha256, data.splits, strict=True) if split != "train"}
    assert not elsewhere & set(digests)
    assert (calibration_faces(data, 500, seed=7) == faces).all()


def test_calibration_faces_of_too_few_raises(small_data: Path) -> None:
    data = load(small_data)
    few: Dataset = data.select(np.arange(0, len(data), 2))
    with pytest.raises(UserError, match="calibration needs 500 training faces"):
        calibration_faces(few, 700, seed=7)
