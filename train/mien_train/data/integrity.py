"""Recognises the published pixels of FER-2013, and copies of it that were altered.

The Kaggle archive's Training and PublicTest are recognised exactly. fer2013.csv (from whose pixels
the archive's JPEGs were encoded), PrivateTest and parts of a split are recognised by statistics
that JPEG hardly moves and that stretched contrast, equalisation or resizing moves far.
"""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from mien_train.data.fer2013 import Dataset
from mien_train.data.labels import LABELS

PUBLISHED_COUNTS = {"train": 28709, "validation": 3589, "test": 3589}

# SHA-256 of the sorted lines "<label> <sha256 of the pixels>" of a split of the Kaggle archive.
_DIGESTS = {
    "train": "439148feed70edd7b0e78ea613f208594631357d70955bab47d357fa808498a0",
    "validation": "8e17dfd9fe9e89e8a98dc17c7327fb055a7866b0fdbd56d4b67c2a41d4bd92f3",
}

# Per class, over Training and PublicTest of the Kaggle archive: mean and standard deviation, over
# images, of each image's brightness (mean gray level), contrast (standard deviation of its pixels)
# and detail (mean absolute difference of horizontal neighbours).
_STATISTICS = ("brightness", "contrast", "detail")
_KNOWN = {
    "angry": ((126.32, 33.26), (54.51, 13.69), (14.14, 4.23)),
    "disgust": ((135.30, 32.73), (51.86, 14.00), (13.25, 3.71)),
    "fear": ((135.50, 32.44), (54.73, 13.45), (14.68, 4.41)),
    "happy": ((129.23, 32.00), (53.13, 12.90), (13.69, 3.51)),
    "neutral": ((123.94, 33.20), (54.39, 14.66), (13.36, 3.62)),
    "sad": ((121.14, 33.45), (53.57, 14.06), (13.34, 4.00)),
    "surprise": ((146.27, 31.56), (55.28, 12.90), (15.45, 4.23)),
}
# By how many gray levels an average may be off. Encoding as JPEG of quality 50 to 95 moves them by
# 0.0, 0.2 and 1.0; stretching moves contrast by 6 to 14, equalising by 20; a blur moves detail by
# 4.5, a detour over 64 pixels by 3.
_TOLERANCE = (2.0, 1.0, 1.5)


@dataclass(frozen=True)
class IntegrityResult:
    """Integrity of the pixels of one split."""

    form: str  # "exact": the Kaggle archive's; "alike": statistically the published; "altered"
    images: int
    published: int  # how many images the split has as published
    measured: dict[str, float]  # average brightness, contrast and detail in gray levels
    expected: dict[str, float]  # the same of the published images of these classes
    deviates: list[str]  # names of the statistics that are off

    def to_json(self) -> dict[str, object]:
        """A plain dict."""
        return asdict(self)


def fingerprint(dataset: Dataset) -> dict[str, IntegrityResult]:
    """Return the integrity of each split that is present."""
    found = {}
    for split, published in PUBLISHED_COUNTS.items():
        part = dataset.select(dataset.splits == split)
        if len(part):
            found[split] = _check_split(part, split, published)
    return found


def split_digest(part: Dataset) -> str:
    """SHA-256 (hex) of labels and pixels of a split, whatever its names and their order."""
    lines = sorted(f"{k} {digest}" for k, digest in zip(part.labels, part.sha256, strict=True))
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def statistics(images: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Brightness, contrast and detail of each image in gray levels, float64 [n, 3]."""
    out = np.empty((len(images), 3))
    for start in range(0, len(images), 4096):  # as floats all at once would take 300 MB
        chunk = images[start : start + 4096].astype(np.float32)
        out[start : start + 4096, 0] = chunk.mean(axis=(1, 2))
        out[start : start + 4096, 1] = chunk.std(axis=(1, 2))
        out[start : start + 4096, 2] = np.abs(np.diff(chunk, axis=2)).mean(axis=(1, 2))
    return out


def _check_split(part: Dataset, split: str, published: int) -> IntegrityResult:
    share = np.bincount(part.labels, minlength=len(LABELS)) / len(part)
    known = np.array([_KNOWN[name] for name in LABELS])  # [class, statistic, (mean, deviation)]
    expected = share @ known[:, :, 0]
    # Four standard errors: of few images an average may be off by accident.
    slack = 4 * np.sqrt(share @ known[:, :, 1] ** 2 / len(part))
    measured = statistics(part.images).mean(axis=0)
    off = np.abs(measured - expected) > np.array(_TOLERANCE) + slack
    deviates = [name for name, bad in zip(_STATISTICS, off, strict=True) if bad]
    exact = split_digest(part) == _DIGESTS.get(split)
    return IntegrityResult(
        form="exact" if exact else "altered" if deviates else "alike",
        images=len(part),
        published=published,
        measured={k: round(float(v), 2) for k, v in zip(_STATISTICS, measured, strict=True)},
        expected={k: round(float(v), 2) for k, v in zip(_STATISTICS, expected, strict=True)},
        deviates=[] if exact else deviates,
    )
