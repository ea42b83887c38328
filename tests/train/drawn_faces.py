"""Generated photographs with drawn faces, in the layouts that the detector's training reads."""

from __future__ import annotations

import csv
import io
import zipfile
from pathlib import Path

import cv2
import numpy as np
from mien_train.detector.dataset import LANDMARK_COLUMNS

COLUMNS = ["image", "width", "height", "kind", "x", "y", "w", "h", "score", *LANDMARK_COLUMNS]


def draw_face(image: np.ndarray, x: int, y: int, w: int, h: int) -> np.ndarray:
    """Draw a face into the box; returns its landmarks, float [5, 2]."""
    center = (x + w // 2, y + h // 2)
    cv2.ellipse(image, center, (w // 2, h // 2), 0, 0, 360, 210, -1)
    parts = [(0.3, 0.4), (0.7, 0.4), (0.5, 0.6), (0.35, 0.75), (0.65, 0.75)]
    marks = np.array([(x + px * w, y + py * h) for px, py in parts])
    for mark in marks[:2]:
        cv2.circle(image, tuple(int(v) for v in mark), max(1, w // 9), 20, -1)
    cv2.line(image, *(tuple(int(v) for v in mark) for mark in marks[3:]), 40, max(1, h // 14))
    return marks


def picture(rng: np.random.Generator, faces: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A 128x96 picture of noise with `faces` faces: image, boxes [n, 4], landmarks [n, 5, 2]."""
    image = cv2.resize(rng.integers(40, 150, (12, 16), dtype=np.uint8), (128, 96))
    boxes, marks = [], []
    for index in range(faces):
        size = int(rng.integers(20, 44))
        x = int(index * 64 + rng.integers(2, 62 - size)) if faces > 1 else int(rng.integers(80))
        box = (x, int(rng.integers(2, 94 - size)), size, size)
        marks.append(draw_face(image, *box))
        boxes.append(box)
    return image, np.array(boxes).reshape(-1, 4), np.array(marks).reshape(-1, 5, 2)


def jpeg(image: np.ndarray) -> bytes:
    """`image` as a JPEG file."""
    return bytes(cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 95])[1])


def write_archive(path: Path, count: int = 36) -> Path:
    """A small faces.zip: three in four pictures have one or two faces, every fourth validates."""
    rng = np.random.default_rng(3)
    labels, sources = io.StringIO(), io.StringIO()
    rows, origins = csv.writer(labels), csv.writer(sources)
    rows.writerow(COLUMNS)
    origins.writerow(["image", "width", "height", "split", "type"])
    with zipfile.ZipFile(path, "w") as archive:
        for index in range(count):
            name = f"{index:05d}.jpg"
            faces = index % 4 and 1 + index % 2
            image, boxes, marks = picture(rng, faces)
            archive.writestr(f"images/{name}", jpeg(image))
            for box, points in zip(boxes, marks, strict=True):
                rows.writerow([name, 128, 96, "face", *box, 0.9, *points.ravel()])
            kind = "faces" if faces else "none-hard" if index % 8 else "none"
            split = "val" if index % 5 == 1 else "train"
            origins.writerow([name, 128, 96, split, kind])
        archive.writestr("labels.csv", labels.getvalue())
        archive.writestr("sources.csv", sources.getvalue())
    return path
