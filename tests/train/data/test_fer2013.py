"""Reading FER-2013 in every form it comes in, and refusing what it is not."""

from __future__ import annotations

import csv
import zipfile
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from mien.errors import UserError
from mien.evaluation.classes import FER2013_ORDER
from mien_train.data.fer2013 import Dataset, digest, load
from mien_train.data.labels import LABELS
from small_fer import BAD, face, pack


def write_csv(path: Path, head: str = "emotion,pixels,Usage") -> list[np.ndarray]:
    """A csv of three images per class and usage; the images by row."""
    images = []
    with path.open("w", newline="") as file:
        file.write(head + "\n")
        writer = csv.writer(file)
        for usage in ("Training", "PublicTest", "PrivateTest"):
            for emotion in range(len(LABELS)):
                images.append(face(len(images)))
                writer.writerow([emotion, " ".join(map(str, images[-1].ravel())), usage])
    return images


def test_load_of_a_folder_lists_images_and_problems(fer: Path) -> None:
    data = load(fer)
    assert len(data) == 7 * (16 + 3 + 2) + 5
    assert {p.name: p.reason for p in data.problems} == BAD
    assert data.names == sorted(data.names)
    assert (data.images.dtype, data.images.shape[1:]) == (np.uint8, (48, 48))
    assert data.labels.dtype == np.int64
    for i in (0, 40, len(data) - 1):
        assert LABELS[data.labels[i]] in data.names[i]
        prefix = {"train": "Training_", "validation": "PublicTest_", "test": "PrivateTest_"}
        assert prefix[data.splits[i]] in data.names[i]
        assert np.array_equal(data.images[i], cv2.imread(str(fer / data.names[i]), 0))
        assert data.sha256[i] == digest(data.images[i])


@pytest.mark.parametrize("inside", ["", "archive/", "a/b/c/"])
def test_load_of_a_zip_equals_the_folder(fer: Path, tmp_path: Path, inside: str) -> None:
    archive = pack(fer, tmp_path / "fer.zip", inside)
    with zipfile.ZipFile(archive, "a") as more:
        more.writestr("__MACOSX/train/angry/._Training_000.jpg", b"x")
    folder, packed = load(fer), load(archive)
    assert packed.names == folder.names
    assert packed.sha256 == folder.sha256
    assert packed.splits.tolist() == folder.splits.tolist()
    assert packed.problems == folder.problems


def test_load_of_a_folder_inside_a_folder_finds_it(fer: Path) -> None:
    assert load(fer.parent).names == load(fer).names


def test_load_of_a_csv_equals_its_pictures(tmp_path: Path) -> None:
    images = write_csv(tmp_path / "fer2013.csv")
    data = load(tmp_path / "fer2013.csv")
    assert len(data) == 21
    assert data.names == sorted(data.names)
    for row, image in enumerate(images):
        label = FER2013_ORDER[row % 7]
        folder = "train" if row < 7 else "test"
        i = data.names.index(f"{folder}/{label}/row{row:05d}.png")
        assert np.array_equal(data.images[i], image)
        assert LABELS[data.labels[i]] == label
        assert data.splits[i] == ("train", "validation", "test")[row // 7]


def test_load_of_a_csv_with_bad_rows_skips_them(tmp_path: Path) -> None:
    path = tmp_path / "fer2013.csv"
    write_csv(path)
    with path.open("a") as file:
        file.write("7,1 2 3,Training\n")  # there are seven emotions, 0 to 6
        file.write("-1,1 2 3,Training\n")
        file.write("0,1 2 300,Training\n")
        file.write(f"0,{'7 ' * 2303}x,Training\n")
        file.write("0,1 2 3,Elsewhere\n")
        file.write("0\n")
        file.write("0,1 2 3,Training\n")
        file.write(f"0,{'9' * 200_000},Training\n")  # longer than the csv module allows
    data = load(path)
    assert len(data) == 21
    assert len(data.problems) == 8
    assert "not a square" in next(p.reason for p in data.problems if "row00027" in p.name)


def test_load_of_a_csv_in_a_zip_with_other_columns_works(tmp_path: Path) -> None:
    write_csv(tmp_path / "one.csv", "emotion, pixels , USAGE")
    with zipfile.ZipFile(tmp_path / "one.zip", "w") as archive:
        archive.write(tmp_path / "one.csv", "fer2013/fer2013.csv")
    assert load(tmp_path / "one.zip").sha256 == load(tmp_path / "one.csv").sha256


def test_select_keeps_the_order_of_indices(fer: Path) -> None:
    data = load(fer)
    part = data.select(data.splits == "validation")
    assert len(part) == 22
    assert all("PublicTest" in name for name in part.names)
    assert [digest(image) for image in part.images] == part.sha256
    assert data.select(np.array([5, 3])).names == [data.names[5], data.names[3]]


def test_load_of_a_zip_with_corrupt_members_skips_them(clean: Path, tmp_path: Path) -> None:
    archive = pack(clean, tmp_path / "fer.zip")
    data = bytearray(archive.read_bytes())
    start = data.index(b"\xff\xd8\xff")  # the first picture's first bytes
    data[start + 200 : start + 220] = bytes(20)
    archive.write_bytes(data)
    found = load(archive)
    assert len(found) == 7 * 21 - 1
    assert len(found.problems) == 1
    assert "CRC" in found.problems[0].reason


@pytest.mark.parametrize(
    ("name", "words"),
    [("../evil.jpg", "outside"), ("/etc/evil.jpg", "outside"), ("C:\\evil.jpg", "outside")],
)
def test_load_of_a_zip_with_outside_members_raises(
    clean: Path, tmp_path: Path, name: str, words: str
) -> None:
    archive = pack(clean, tmp_path / "fer.zip")
    with zipfile.ZipFile(archive, "a") as more:
        more.writestr(name, b"x")
    with pytest.raises(UserError, match=words):
        load(archive)


def make_nothing(folder: Path) -> Path:
    return folder / "nothing"


def make_empty_folder(folder: Path) -> Path:
    (folder / "empty").mkdir()
    return folder / "empty"


def make_text(folder: Path) -> Path:
    (folder / "fer.zip").write_text("not a zip")
    return folder / "fer.zip"


def make_half_a_zip(folder: Path) -> Path:
    archive = pack(folder / "fer2013", folder / "fer.zip")
    archive.write_bytes(archive.read_bytes()[:-2000])
    return archive


def make_empty_zip(folder: Path) -> Path:
    return pack(folder / "none", folder / "fer.zip")


def make_class_missing(folder: Path) -> Path:
    for file in (folder / "fer2013/test/disgust").iterdir():
        file.unlink()
    return folder / "fer2013"


def make_other_csv(folder: Path) -> Path:
    (folder / "votes.csv").write_text("file,neutral\nx.jpg,3\n")
    return folder / "votes.csv"


def make_csv_without_rows(folder: Path) -> Path:
    (folder / "fer2013.csv").write_text("emotion,pixels,Usage\n")
    return folder / "fer2013.csv"


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (make_nothing, "There is no"),
        (make_empty_folder, "holds no pictures"),
        (make_text, "neither a folder nor a complete zip"),
        (make_half_a_zip, "copy or download it again"),
        (make_empty_zip, "holds no pictures"),
        (make_class_missing, "test/disgust"),
        (make_other_csv, "no column emotion"),
        (make_csv_without_rows, "no FER-2013 rows"),
    ],
)
def test_load_of_unfit_data_raises(
    clean: Path,
    make: Callable[[Path], Path],
    words: str,
    mien_train: Callable[..., tuple[int, str, str]],
) -> None:
    path = make(clean.parent)
    with pytest.raises(UserError, match=words):
        load(path)
    code, out, err = mien_train("audit", path)
    assert (code, out) == (2, "")
    assert err.startswith("mien-train: ")
    assert err.count("\n") == 1
    assert err.endswith(".\n")


def test_load_of_real_data_has_known_counts(real: Dataset) -> None:
    data = real
    train = np.bincount(data.labels[data.splits == "train"]).tolist()
    validation = np.bincount(data.labels[data.splits == "validation"]).tolist()
    assert train == [3995, 436, 4097, 7215, 4965, 4830, 3171]
    assert validation == [467, 56, 496, 895, 607, 653, 415]
    assert not data.problems
