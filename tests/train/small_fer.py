"""Writes a small FER-2013 with everything that is wrong with the real one."""

from __future__ import annotations

import zipfile
from pathlib import Path

import cv2
import numpy as np
from mien_train.data.labels import LABELS

TRAIN, VALIDATION, TEST = 16, 3, 2  # images of each class


def face(seed: int, dy: int = 0, dx: int = 0) -> np.ndarray:
    """A smooth random texture, uint8 [48, 48]: a window, which may be moved, of a larger one."""
    noise = np.random.default_rng(seed).normal(size=(64, 64)).astype(np.float32)
    smooth = cv2.GaussianBlur(noise, (0, 0), 2.5)
    smooth = 128 + 55 * smooth / smooth.std()
    return np.clip(smooth[8 + dy : 56 + dy, 8 + dx : 56 + dx], 0, 255).astype(np.uint8)


def jpeg(image: np.ndarray, quality: int = 95) -> bytes:
    return cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes()


def write(file: Path, data: bytes) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(data)


def write_clean(folder: Path) -> None:
    """147 images without a fault in Kaggle's layout."""
    for k, label in enumerate(LABELS):
        for i in range(TRAIN):
            write(folder / f"train/{label}/Training_{k}{i:02d}.jpg", jpeg(face(1000 * k + i)))
        for i in range(VALIDATION):
            data = jpeg(face(1000 * k + 100 + i))
            write(folder / f"test/{label}/PublicTest_{k}{i:02d}.jpg", data)
        for i in range(TEST):
            data = jpeg(face(1000 * k + 200 + i))
            write(folder / f"test/{label}/PrivateTest_{k}{i:02d}.jpg", data)


def write_copies(folder: Path) -> None:
    """Copies: two within train (one with another label), one across splits, two nearly so."""
    train, test = folder / "train", folder / "test"
    happy = (train / "happy/Training_300.jpg").read_bytes()
    write(train / "happy/Training_900.jpg", happy)
    write(train / "fear/Training_901.jpg", (train / "surprise/Training_602.jpg").read_bytes())
    write(test / "sad/PublicTest_902.jpg", (train / "sad/Training_503.jpg").read_bytes())
    # The photograph of Training_404 cropped 2 pixels lower and brighter, and of PublicTest_001.
    brighter = np.clip(face(4004, dy=2) * 0.8 + 40, 0, 255).astype(np.uint8)
    write(train / "neutral/Training_903.jpg", jpeg(brighter, 80))
    write(train / "angry/Training_904.jpg", jpeg(face(101, dx=-2), 80))


def write_bad(folder: Path) -> None:
    """Five files that no one can use, and two that nobody means."""
    train = folder / "train"
    write(train / "angry/Training_950.jpg", b"this is no picture")
    write(train / "angry/Training_951.jpg", b"")
    write(train / "fear/Training_952.jpg", jpeg(np.zeros((50, 48), np.uint8)))
    write(train / "sad/Training_953.jpg", jpeg(face(1))[:700])
    write(train / "contempt/Training_954.jpg", jpeg(face(2)))
    write(train / "angry/.DS_Store", b"x")
    write(folder / "readme.txt", b"x")


BAD = {
    "train/angry/Training_950.jpg": "is not a picture that Mien reads; give a JPEG or PNG file",
    "train/angry/Training_951.jpg": "is empty; copy it again",
    "train/contempt/Training_954.jpg": "its folder is none of the seven classes",
    "train/fear/Training_952.jpg": "is 48x50, not 48x48 pixels",
    "train/sad/Training_953.jpg": "is cut off; copy it again",
}


def pack(folder: Path, path: Path, inside: str = "") -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        # Backwards, so that nothing can lean on the archive's order.
        for file in sorted(folder.rglob("*"), reverse=True):
            if file.is_file():
                archive.write(file, inside + file.relative_to(folder).as_posix())
    return path
