"""Which faces the converter calibrates on."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from mien.errors import UserError
from mien_convert.calibration import MIN_FACES, balanced_faces, read_faces
from mien_train.data.fer2013 import Dataset, digest, load


def test_balanced_faces_are_distinct_and_balanced(small_data: Path) -> None:
    data = load(small_data)
    faces = balanced_faces(data, 500, seed=7)
    label_of = {s: int(k) for s, k in zip(data.sha256, data.labels, strict=True)}
    digests = [digest(face) for face in faces]
    assert np.bincount([label_of[d] for d in digests]).tolist() == [72] * 7
    assert len(set(digests)) == len(faces) >= 500
    elsewhere = {s for s, split in zip(data.sha256, data.splits, strict=True) if split != "train"}
    assert not elsewhere & set(digests)
    assert (balanced_faces(data, 500, seed=7) == faces).all()


def test_balanced_faces_of_too_few_raises(small_data: Path) -> None:
    data = load(small_data)
    few: Dataset = data.select(np.arange(0, len(data), 2))
    with pytest.raises(UserError, match="calibration needs 500 training faces"):
        balanced_faces(few, 700, seed=7)


def test_read_faces_takes_arrays_and_folders(tmp_path: Path) -> None:
    faces = np.random.default_rng(0).integers(0, 256, (MIN_FACES, 20, 20), np.uint8)
    np.save(tmp_path / "faces.npy", faces)
    assert (read_faces(tmp_path / "faces.npy") == faces).all()
    folder = tmp_path / "pictures"
    folder.mkdir()
    for number, face in enumerate(faces):
        cv2.imwrite(str(folder / f"{number:04d}.png"), face)
    (folder / "notes.txt").write_text("no picture")
    assert (read_faces(folder) == faces).all()


@pytest.mark.parametrize("content", ["missing", "text", "few", "float", "flat"])
def test_read_faces_of_unfit_files_raises(content: str, tmp_path: Path) -> None:
    path = tmp_path / "faces.npy"
    if content == "text":
        path.write_text("no array")
    elif content != "missing":
        array = {
            "few": np.zeros((MIN_FACES - 1, 8, 8), np.uint8),
            "float": np.zeros((MIN_FACES, 8, 8), np.float32),
            "flat": np.zeros((MIN_FACES, 64), np.uint8),
        }[content]
        np.save(path, array)
    with pytest.raises(UserError, match=r"calibration"):
        read_faces(path)


def test_read_faces_of_an_array_that_claims_too_much_raises(tmp_path: Path) -> None:
    path = tmp_path / "faces.npy"
    header = {"descr": "|u1", "fortran_order": False, "shape": (99_999_999_999, 48, 48)}
    with path.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, header)
    with pytest.raises(UserError, match=r"faces\.npy"):
        read_faces(path)
