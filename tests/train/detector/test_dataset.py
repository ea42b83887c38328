"""Photographs with boxes are read from faces.zip and from WIDER FACE as it is downloaded."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest
from drawn_faces import jpeg, write_archive
from mien.errors import UserError
from mien_train.detector.dataset import load, parse_wider

# Two faces (the second marked invalid), then a picture without one, as WIDER FACE writes it.
ANNOTATION = """0--Parade/0_Parade_1.jpg
2
100 50 40 60 0 0 0 0 0 0
10 20 8 9 2 0 0 1 2 0
0--Parade/0_Parade_2.jpg
0
0 0 0 0 0 0 0 0 0 0
"""


def wider(folder: Path, annotation: str = ANNOTATION) -> Path:
    folder.mkdir()
    with zipfile.ZipFile(folder / "wider_face_split.zip", "w") as split:
        for part in ("train", "val"):
            split.writestr(f"wider_face_split/wider_face_{part}_bbx_gt.txt", annotation)
    for part in ("train", "val"):
        with zipfile.ZipFile(folder / f"WIDER_{part}.zip", "w") as archive:
            for number in (1, 2):
                image = np.full((960, 1280), 40 * number, np.uint8)
                name = f"WIDER_{part}/images/0--Parade/0_Parade_{number}.jpg"
                archive.writestr(name, jpeg(image))
    return folder


def test_faces_zip(tmp_path: Path) -> None:
    photographs = load(write_archive(tmp_path / "faces.zip", 20))
    assert (len(photographs.train), len(photographs.validation)) == (16, 4)
    first = next(p for p in photographs.train if len(p.faces) == 2)
    assert first.image.shape == (96, 128)
    assert first.image.dtype == np.uint8
    assert first.landmarks.shape == (2, 5, 2)
    left, top = first.faces[:, :2].T
    assert np.all(first.landmarks[:, 2] > np.stack([left, top], axis=1))  # the nose inside
    assert sum(p.hard for p in photographs.train) == 2


def test_faces_without_landmarks_and_ignored_regions(tmp_path: Path) -> None:
    archive = write_archive(tmp_path / "faces.zip", 20)
    with zipfile.ZipFile(archive) as old:
        files = {name: old.read(name) for name in old.namelist()}
    rows = files["labels.csv"].decode().splitlines()
    row = next(i for i, line in enumerate(rows) if line.startswith("00003.jpg"))
    name = rows[row].split(",")
    rows[row] = ",".join(name[:9] + [""] * 10)
    rows.append(",".join([*name[:3], "ignore", "1", "2", "30", "40", "0.6"] + [""] * 10))
    files["labels.csv"] = "\n".join(rows).encode()
    with zipfile.ZipFile(archive, "w") as new:
        for member, data in files.items():
            new.writestr(member, data)
    picture = next(p for p in load(archive).train if p.name == "00003.jpg")
    assert np.isnan(picture.landmarks[0]).all()
    assert picture.ignored.tolist() == [[1, 2, 30, 40]]


def test_wider_face(tmp_path: Path) -> None:
    photographs = load(wider(tmp_path / "wider"))
    with_faces, without = photographs.train
    # 1280 px become 640: boxes shrink with the picture, the invalid face is a region to ignore.
    assert with_faces.image.shape == (480, 640)
    assert with_faces.faces.tolist() == [[50, 25, 20, 30]]
    assert with_faces.ignored.tolist() == [[5, 10, 4, 4.5]]
    assert np.isnan(with_faces.landmarks).all()
    assert not len(without.faces)


def test_wider_face_rows() -> None:
    found = parse_wider(ANNOTATION)
    assert [len(rows) for rows in found.values()] == [2, 0]
    with pytest.raises(ValueError, match="0_Parade_1"):
        parse_wider("0--Parade/0_Parade_1.jpg\n1\n1 2 3\n")


@pytest.mark.parametrize("broken", ["missing", "empty folder", "no zip", "no labels", "a picture"])
def test_wrong_data_is_refused(tmp_path: Path, broken: str) -> None:
    path = tmp_path / "faces.zip"
    if broken == "empty folder":
        path.mkdir()
    elif broken == "no zip":
        path.write_bytes(b"no archive")
    elif broken == "no labels":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("images/1.jpg", b"")
    elif broken == "a picture":
        write_archive(path, 8)
        with zipfile.ZipFile(path) as old:
            files = {name: old.read(name) for name in old.namelist()}
        files["images/00002.jpg"] = b"no picture"
        with zipfile.ZipFile(path, "w") as archive:
            for name, data in files.items():
                archive.writestr(name, data)
    with pytest.raises(UserError, match=r"faces\.zip|00002"):
        load(path)
