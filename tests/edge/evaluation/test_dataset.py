from __future__ import annotations

import shutil
import zipfile
from pathlib import Path

import cv2
import numpy as np
import pytest
from made import LABELS, band_face, encode, write_faces, write_picture, zip_folder
from mien.errors import UserError
from mien.evaluation.dataset import list_faces


def labels_of(members: tuple[tuple[str, int], ...]) -> list[int]:
    return sorted(label for _, label in members)


EACH_TWICE = sorted([*range(7), *range(7)])


@pytest.mark.parametrize("where", ["", "test/", "fer/", "archive/fer/test/"])
@pytest.mark.parametrize("packed", [False, True], ids=["folder", "zip"])
def test_class_folders_are_found_at_any_depth(where: str, packed: bool, tmp_path: Path) -> None:
    write_faces(tmp_path / "data" / where)
    data = tmp_path / "data"
    if packed:
        data = zip_folder(data, tmp_path / "data.zip")
    found = list_faces(data, LABELS)
    assert labels_of(found.members) == EACH_TWICE
    for name, label, gray in found.faces():
        number = int(name.rpartition("_")[2].removesuffix(".png"))
        assert LABELS[label] in name
        assert np.array_equal(gray, band_face(label, number))


def kaggle(folder: Path) -> Path:
    write_faces(folder / "train", 3, "Training_")
    write_faces(folder / "test", 2, "PublicTest_", seed=10)
    write_faces(folder / "test", 1, "PrivateTest_", seed=20)
    return folder


@pytest.mark.parametrize(
    ("split", "read", "count"),
    [
        (None, "PublicTest", 14),
        ("PublicTest", "PublicTest", 14),
        ("privatetest", "PrivateTest", 7),
        ("test", "test", 21),
        ("train", "train", 21),
        ("Training", "Training", 21),
    ],
)
def test_splits_of_kaggles_archive(
    split: str | None, read: str, count: int, tmp_path: Path
) -> None:
    found = list_faces(zip_folder(kaggle(tmp_path / "d"), tmp_path / "d.zip"), LABELS, split)
    assert (found.split, len(found)) == (read, count)
    assert read not in found.others


def test_an_unknown_split_is_answered_with_those_there_are(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no split 'exam'; it has PrivateTest, PublicTest, .*\.$"):
        list_faces(kaggle(tmp_path), LABELS, "exam")
    write_faces(tmp_path / "flat", 1, "")
    with pytest.raises(UserError, match="leave --split out"):
        list_faces(tmp_path / "flat", LABELS, "test")


def test_without_a_split_test_comes_before_train(tmp_path: Path) -> None:
    write_faces(tmp_path / "train", 3, "")
    write_faces(tmp_path / "test", 1, "")
    found = list_faces(tmp_path, LABELS)
    assert (found.split, found.others, len(found)) == ("test", ("train",), 7)


def test_splits_of_which_none_is_known_have_to_be_chosen(tmp_path: Path) -> None:
    write_faces(tmp_path / "monday", 1, "")
    write_faces(tmp_path / "friday", 1, "")
    with pytest.raises(UserError, match=r"several splits.*--split: friday, monday"):
        list_faces(tmp_path, LABELS)
    assert len(list_faces(tmp_path, LABELS, "monday")) == 7


def test_files_named_after_their_class_are_no_splits(tmp_path: Path) -> None:
    for index, label in enumerate(LABELS):
        write_picture(tmp_path / "faces" / label / f"{label}_1.png", band_face(index))
    found = list_faces(tmp_path, LABELS)
    assert (found.split, found.others, len(found)) == ("faces", (), 7)


def test_capitals_hidden_files_and_other_folders(tmp_path: Path) -> None:
    write_faces(tmp_path / "data")
    (tmp_path / "data" / "happy").rename(tmp_path / "data" / "Happy")
    write_picture(tmp_path / "data" / "contempt" / "1.png", band_face(0))
    (tmp_path / "data" / "angry" / "._face_0.png").write_bytes(b"macOS")
    (tmp_path / "data" / "angry" / "notes.txt").write_text("none")
    zip_folder(tmp_path / "data", tmp_path / "data.zip")
    with zipfile.ZipFile(tmp_path / "data.zip", "a") as archive:
        archive.writestr("__MACOSX/angry/face_0.png", b"macOS")
    for path in (tmp_path / "data", tmp_path / "data.zip"):
        found = list_faces(path, LABELS)
        assert labels_of(found.members) == EACH_TWICE
        assert found.ignored == ("contempt",)


def test_a_missing_class_is_named(tmp_path: Path) -> None:
    write_faces(tmp_path)
    shutil.rmtree(tmp_path / "disgust")
    (tmp_path / "fear" / "face_0.png").unlink()
    (tmp_path / "fear" / "face_1.png").unlink()
    with pytest.raises(UserError, match=r"class folders disgust, fear; .*\.$"):
        list_faces(tmp_path, LABELS)


@pytest.mark.parametrize(
    "name",
    ["../evil.jpg", "test/../../evil.jpg", "/etc/evil.jpg", "a\\..\\evil.jpg", "C:/evil.jpg"],
)
def test_a_zip_with_an_unsafe_name_is_refused_whole(name: str, tmp_path: Path) -> None:
    data = zip_folder(write_faces(tmp_path / "data"), tmp_path / "data.zip")
    with zipfile.ZipFile(data, "a") as archive:
        archive.writestr(name, encode(".jpg", band_face(0)))
    with pytest.raises(UserError, match=r"unsafe file name .*\.$"):
        list_faces(data, LABELS)


def test_what_is_no_data(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "text.zip").write_text("hello")
    write_picture(tmp_path / "loose" / "1.png", band_face(0))
    whole = zip_folder(write_faces(tmp_path / "data"), tmp_path / "half.zip").read_bytes()
    (tmp_path / "half.zip").write_bytes(whole[: len(whole) // 2])
    for name, words in (
        ("none", "There is no file or folder"),
        ("empty", "holds no pictures"),
        ("text.zip", "neither a folder nor a complete zip"),
        ("half.zip", "neither a folder nor a complete zip"),
        ("loose", "none of the class folders"),
    ):
        with pytest.raises(UserError, match=words):
            list_faces(tmp_path / name, LABELS)


def test_a_face_that_cannot_be_read_is_an_error_or_is_told(tmp_path: Path) -> None:
    write_faces(tmp_path)
    (tmp_path / "sad" / "face_1.png").write_text("no picture")
    with pytest.raises(UserError, match=r"sad/face_1\.png"):
        list(list_faces(tmp_path, LABELS).faces())
    told: list[str] = []
    faces = list(list_faces(tmp_path, LABELS).faces(told.append))
    assert len(faces) == 13
    assert len(told) == 1
    assert "sad/face_1.png" in told[0]


def test_a_damaged_member_of_a_zip_is_told(tmp_path: Path) -> None:
    data = zip_folder(write_faces(tmp_path / "data"), tmp_path / "data.zip")
    whole = bytearray(data.read_bytes())
    with zipfile.ZipFile(data) as archive:
        place = archive.getinfo("fear/face_0.png").header_offset + 400
    whole[place] ^= 255  # the member's checksum no longer fits
    data.write_bytes(bytes(whole))
    told: list[str] = []
    assert len(list(list_faces(data, LABELS).faces(told.append))) == 13
    assert "fear/face_0.png cannot be read" in told[0]


def test_real_archive(fer2013: Path) -> None:
    found = list_faces(fer2013, LABELS)
    assert (found.split, len(found)) == ("PublicTest", 3589)
    assert np.bincount([label for _, label in found.members]).tolist() == [
        467, 56, 496, 895, 607, 653, 415,
    ]  # fmt: skip
    name, _, gray = next(found.faces())
    with zipfile.ZipFile(fer2013) as archive:
        data = np.frombuffer(archive.read(name), np.uint8)
    assert np.array_equal(gray, cv2.imdecode(data, cv2.IMREAD_GRAYSCALE))
