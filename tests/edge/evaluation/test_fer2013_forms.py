"""The forms in which FER-2013 goes round, and archives that lie."""

from __future__ import annotations

import csv
import io
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from made import LABELS, band_face, encode, write_faces, write_picture, zip_folder
from mien.errors import UserError
from mien.evaluation.classes import FER2013_ORDER, class_index
from mien.evaluation.dataset import list_all, list_faces

SYNONYMS = ("anger", "disgusted", "Fearful", "happiness", "neutral", "sadness", "surprised")


def table(emotions: list[str], usages: list[str], head: str = "emotion,pixels,Usage") -> str:
    """Return a csv with a row per emotion and usage, in that order."""
    out = io.StringIO()
    writer = csv.writer(out)
    out.write(head + "\n")
    order = [name.strip().casefold() for name in head.split(",")]
    for usage in usages:
        for index, emotion in enumerate(emotions):
            gray = band_face(LABELS.index(FER2013_ORDER[index]))
            cells = {"emotion": emotion, "usage": usage, "pixels": " ".join(map(str, gray.ravel()))}
            writer.writerow([cells[name] for name in order])
    return out.getvalue()


def assert_bands(path: Path, split: str | None, count: int = 7) -> None:
    faces = list(list_faces(path, LABELS, split).faces())
    assert len(faces) == count
    for _, label, gray in faces:
        assert np.array_equal(gray, band_face(label))


@pytest.mark.parametrize(
    ("emotions", "usage", "head"),
    [
        ([str(i) for i in range(7)], "PublicTest", "emotion,pixels,Usage"),
        ([f"{i}.0" for i in range(7)], "publictest", "emotion,pixels,usage"),
        (list(FER2013_ORDER), "Publictest", "emotion,pixels,Usage"),
        ([name.upper() for name in FER2013_ORDER], " PublicTest", "Usage, pixels,EMOTION "),
        ([str(i) for i in range(7)], "PublicTest", "emotion, Usage, pixels"),  # icml_face_data.csv
    ],
)
def test_a_csv_is_read_whatever_form_its_labels_have(
    emotions: list[str], usage: str, head: str, tmp_path: Path
) -> None:
    path = tmp_path / "fer2013.csv"
    path.write_text(table(emotions, ["Training", usage], head))
    assert_bands(path, None)
    assert list_faces(path, LABELS).split == "PublicTest"
    assert list_faces(path, LABELS, "training").others == ("PublicTest",)


def test_the_competitions_zip_with_several_tables_is_read_by_the_whole_one(tmp_path: Path) -> None:
    whole = table([str(i) for i in range(7)], ["Training", "PublicTest", "PrivateTest"])
    with zipfile.ZipFile(tmp_path / "c.zip", "w") as archive:
        archive.writestr("example_submission.csv", "id,emotion\n1,3\n")
        archive.writestr("train.csv", "emotion,pixels\n" + "0,1 2 3\n" * 30_000)
        archive.writestr("icml_face_data.csv", whole)
        archive.writestr("test.csv", "pixels\n1 2 3\n")
    assert_bands(tmp_path / "c.zip", "PrivateTest")


@pytest.mark.parametrize("names", [SYNONYMS, [str(FER2013_ORDER.index(n)) for n in LABELS]])
def test_class_folders_by_synonym_or_number_are_known(names: list[str], tmp_path: Path) -> None:
    for index, name in enumerate(names):
        write_picture(tmp_path / "data" / "test" / name / "face.png", band_face(index))
    assert_bands(tmp_path / "data", "test")


def test_numbers_mean_nothing_where_the_classes_are_others() -> None:
    assert class_index("3", ("a", "b")) is None
    assert class_index("7", LABELS) is None
    assert class_index("B ", ("a", "b")) == 1


def test_a_zip_with_windows_backslashes_is_read(tmp_path: Path) -> None:
    data = zip_folder(write_faces(tmp_path / "data" / "test"), tmp_path / "data.zip")
    with zipfile.ZipFile(data) as before, zipfile.ZipFile(tmp_path / "w.zip", "w") as after:
        for info in before.infolist():
            entry = zipfile.ZipInfo("x")
            entry.filename = info.filename.replace("/", "\\")
            after.writestr(entry, before.read(info))
    expected = [(name, label) for name, label, _ in list_faces(data, LABELS).faces()]
    packed = list_faces(tmp_path / "w.zip", LABELS).faces()
    assert [(name, label) for name, label, _ in packed] == expected


def test_bad_rows_are_listed_and_a_csv_of_these_alone_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "fer2013.csv"
    rows = (
        "7,1 2 3 4,Training",
        "0,1 2 x,Training",
        "0,1 2 300 4,Training",
        "0,1 2 3,Training",
        "0,1 2 3 4,Elsewhere",
        "0",
        f"0,{'9' * 200_000},Training",
        f'0,"{"a," * 100_000}",Training',
    )
    path.write_text(table([str(i) for i in range(7)], ["Training"]) + "\n".join(rows) + "\n")
    listing = list_all(path, LABELS)
    assert len(listing.files) == 7
    assert [reason for _, reason in listing.bad_rows] == [
        "its emotion is neither a class nor 0 to 6",
        "its pixels are not numbers",
        "its pixels are not gray levels from 0 to 255",
        "its 3 pixels are not a square picture",
        "its Usage is not Training, PublicTest or PrivateTest",
        "lacks a column",
        "lacks a column",
        "lacks a column",
    ]
    path.write_text("emotion,pixels,Usage\nglad,1 2 3 4,Training\n")
    with pytest.raises(UserError, match=r"no FER-2013 rows \(row 0 its emotion is neither"):
        list_all(path, LABELS)
    path.write_text('"' + "a," * 100_000)
    with pytest.raises(UserError, match="no column emotion"):
        list_all(path, LABELS)


@pytest.mark.parametrize("method", [zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2])
def test_members_damaged_in_any_compression_are_told(method: int, tmp_path: Path) -> None:
    path = tmp_path / "d.zip"
    with zipfile.ZipFile(path, "w", method) as archive:
        for index, label in enumerate(LABELS):
            archive.writestr(f"{label}/1.png", encode(".png", band_face(index)))
        starts = [info.header_offset + 60 for info in archive.infolist()[:2]]
    assert_bands(path, None)
    data = bytearray(path.read_bytes())
    for start in starts:
        data[start : start + 40] = b"\xff" * 40
    path.write_bytes(data)
    skipped: list[str] = []
    assert len(list(list_faces(path, LABELS).faces(skipped.append))) == 5
    assert "angry/1.png cannot be read" in skipped[0]


def test_an_empty_member_name_is_passed_over(tmp_path: Path) -> None:
    data = zip_folder(write_faces(tmp_path / "data"), tmp_path / "data.zip")
    with zipfile.ZipFile(data, "a") as archive:
        entry = zipfile.ZipInfo("x")
        entry.filename = ""
        archive.writestr(entry, b"?")
    assert len(list_faces(data, LABELS)) == 14


def test_a_bomb_of_a_csv_takes_neither_memory_nor_long(tmp_path: Path) -> None:
    """A line of 30 MB in a zip of 30 kB."""
    with (
        zipfile.ZipFile(tmp_path / "b.zip", "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("fer2013.csv", "w") as file,
    ):
        file.write(b'emotion,pixels,Usage\n0,"')
        for _ in range(30):
            file.write(b"1 " * 500_000)
    script = (
        "import sys\nfrom mien.errors import UserError\n"
        "from mien.evaluation.dataset import list_all\n"
        "try:\n    list_all(sys.argv[1], tuple(sys.argv[2].split()))\n"
        "except UserError as error:\n    print(error)\n"
        "lines = open('/proc/self/status').read().splitlines()\n"
        "print(next(int(l.split()[1]) for l in lines if l.startswith('VmHWM')) // 1024)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, tmp_path / "b.zip", " ".join(LABELS)],
        capture_output=True,
        text=True,
    )
    sentence, megabytes = done.stdout.splitlines()
    assert "a line of more than 16 MB" in sentence
    assert int(megabytes) < 150
