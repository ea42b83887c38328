"""Photographs with face boxes: faces.zip's layout, or the public WIDER FACE archive.

WIDER FACE (Yang et al., 2016) is read as it is downloaded: a folder with ``WIDER_train.zip``,
``WIDER_val.zip`` and ``wider_face_split.zip``, or the three unpacked beside each other.
"""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from mien.errors import UserError

Progress = Callable[[Sequence[Any]], Iterable[Any]]  # what tqdm is

LONGEST_SIDE = 640  # pixels; larger photographs are read smaller, which halves memory twice
NO_LANDMARKS = np.full((5, 2), np.nan, "float32")
LANDMARK_COLUMNS = ("ex1", "ey1", "ex2", "ey2", "nx", "ny", "mx1", "my1", "mx2", "my2")
WIDER_FIELDS = 10  # x y w h blur expression illumination invalid occlusion pose


@dataclass(frozen=True)
class Photograph:
    """A gray picture and what is known about the faces in it."""

    name: str
    image: np.ndarray  # uint8 [height, width]
    faces: np.ndarray  # float32 [n, 4]: left, top, width, height in pixels
    landmarks: np.ndarray  # float32 [n, 5, 2]: eyes, nose, mouth corners; NaN where not known
    ignored: np.ndarray  # float32 [m, 4]: regions that count neither as face nor as background
    hard: bool = False  # without faces, but detectors found one


@dataclass(frozen=True)
class Photographs:
    """The two parts of a data set."""

    train: list[Photograph]
    validation: list[Photograph]


def load(path: Path, progress: Progress = lambda items: items) -> Photographs:
    """Read faces.zip (or its folder), or WIDER FACE (its folder).

    ``progress`` wraps the list of pictures that are being read, as ``tqdm`` does.

    Raises:
        UserError: ``path`` is neither, or a picture in it is missing or broken.
    """
    if not path.exists():
        raise UserError(f"{path} does not exist: give faces.zip, or the folder of WIDER FACE.")
    if path.is_dir() and not (path / "labels.csv").is_file():
        return _load_wider(path, progress)
    files = _Files.open(path)
    missing = [name for name in ("labels.csv", "sources.csv") if not files.has(name)]
    if missing:
        raise UserError(
            f"{path} has no {missing[0]}: give faces.zip, its folder, or the folder of WIDER FACE."
        )
    rows: dict[str, list[dict[str, str]]] = {}
    for row in csv.DictReader(io.StringIO(files.read("labels.csv").decode())):
        rows.setdefault(row["image"], []).append(row)
    parts: dict[str, list[Photograph]] = {"train": [], "val": []}
    sources = list(csv.DictReader(io.StringIO(files.read("sources.csv").decode())))
    for source in progress(sources):
        name = source["image"]
        faces = [row for row in rows.get(name, []) if row["kind"] == "face"]
        ignored = [row for row in rows.get(name, []) if row["kind"] != "face"]
        if source["split"] not in parts:
            raise UserError(f"{path}, sources.csv: split must be train or val for {name}.")
        parts[source["split"]].append(
            _photograph(
                name,
                files.read(f"images/{name}"),
                [[float(row[k]) for k in "xywh"] for row in faces],
                [_landmarks(row) for row in faces],
                [[float(row[k]) for k in "xywh"] for row in ignored],
                source["type"] == "none-hard",
            )
        )
    return _checked(path, Photographs(parts["train"], parts["val"]))


def parse_wider(text: str) -> dict[str, list[list[int]]]:
    """WIDER FACE's ``wider_face_*_bbx_gt.txt``: picture to rows of its ten numbers.

    A picture without faces has the count 0 and one row of zeros.

    Raises:
        ValueError: a line is not what the format says.
    """
    pictures: dict[str, list[list[int]]] = {}
    lines = iter(text.splitlines())
    for name in lines:
        if not name.strip():
            continue
        count = int(next(lines, ""))
        rows = [[int(v) for v in next(lines, "").split()] for _ in range(max(1, count))]
        if any(len(row) < WIDER_FIELDS for row in rows):
            raise ValueError(f"fewer than {WIDER_FIELDS} numbers in a row of {name}")
        pictures[name.strip()] = rows[:count]
    return pictures


class _Files:
    """Members of a zip archive, or files of a folder, by their relative name."""

    def __init__(self, path: Path, archive: zipfile.ZipFile | None) -> None:
        self.path, self.archive = path, archive
        self.names = None if archive is None else set(archive.namelist())

    @classmethod
    def open(cls, path: Path) -> _Files:
        if path.is_dir():
            return cls(path, None)
        try:
            return cls(path, zipfile.ZipFile(path))
        except (OSError, zipfile.BadZipFile) as error:
            raise UserError(f"{path} is not a readable zip archive ({error}).") from error

    def has(self, name: str) -> bool:
        return (self.path / name).is_file() if self.names is None else name in self.names

    def read(self, name: str) -> bytes:
        try:
            if self.archive is None:
                return (self.path / name).read_bytes()
            return self.archive.read(name)
        except (OSError, KeyError, zipfile.BadZipFile) as error:
            raise UserError(f"{self.path}: {name} is missing or broken.") from error


def _load_wider(folder: Path, progress: Progress) -> Photographs:
    parts = []
    for part in ("train", "val"):
        annotation = f"wider_face_split/wider_face_{part}_bbx_gt.txt"
        split = folder / "wider_face_split.zip"
        split_files = _Files.open(split if split.is_file() else folder)
        archive = folder / f"WIDER_{part}.zip"
        files = _Files.open(archive if archive.is_file() else folder)
        if not split_files.has(annotation):
            raise UserError(
                f"{folder} has neither labels.csv nor {annotation}: give faces.zip, or a folder "
                "with WIDER_train.zip, WIDER_val.zip and wider_face_split.zip."
            )
        try:
            pictures = parse_wider(split_files.read(annotation).decode())
        except ValueError as error:
            raise UserError(f"{folder}: {annotation} cannot be read ({error}).") from error
        photographs = []
        for name, rows in progress(list(pictures.items())):
            boxes = [row for row in rows if row[2] > 0 and row[3] > 0]
            faces = [row[:4] for row in boxes if not row[7]]
            photographs.append(
                _photograph(
                    name,
                    files.read(f"WIDER_{part}/images/{name}"),
                    faces,
                    [NO_LANDMARKS] * len(faces),
                    [row[:4] for row in boxes if row[7]],
                    False,
                )
            )
        parts.append(photographs)
    return _checked(folder, Photographs(parts[0], parts[1]))


def _photograph(
    name: str,
    data: bytes,
    faces: Sequence[Sequence[float]],
    landmarks: Sequence[np.ndarray],
    ignored: Sequence[Sequence[float]],
    hard: bool,
) -> Photograph:
    image = cv2.imdecode(np.frombuffer(data, "uint8"), cv2.IMREAD_GRAYSCALE) if data else None
    if image is None:
        raise UserError(f"{name} is not a readable picture.")
    scale = min(1.0, LONGEST_SIDE / max(image.shape))
    if scale < 1.0:
        image = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    return Photograph(
        name,
        image,
        np.array(faces, "float32").reshape(-1, 4) * scale,
        np.array(landmarks, "float32").reshape(-1, 5, 2) * scale,
        np.array(ignored, "float32").reshape(-1, 4) * scale,
        hard,
    )


def _landmarks(row: dict[str, str]) -> np.ndarray:
    values = [row[column] for column in LANDMARK_COLUMNS]
    return np.array(values, "float32").reshape(5, 2) if all(values) else NO_LANDMARKS


def _checked(path: Path, photographs: Photographs) -> Photographs:
    for part, pictures in (("training", photographs.train), ("validation", photographs.validation)):
        if not any(len(picture.faces) for picture in pictures):
            raise UserError(f"{path} has no {part} picture with a face.")
    return photographs
