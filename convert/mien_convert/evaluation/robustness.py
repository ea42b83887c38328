"""Robustness: accuracy on blurred, noisy, dark, small, rotated and badly cropped faces."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from mien.classification.classifier import Classifier
from mien.classification.prediction import softmax
from mien.classification.preprocess import preprocess_face
from mien.evaluation.metrics import score
from mien.tflite.metadata import Metadata

Gray = npt.NDArray[np.uint8]
Faces = npt.NDArray[np.uint8]  # [n, s, s]
Truths = dict[str, npt.NDArray[np.int64]]  # "benchmark", "people": [n], -1 where not known
Change = Callable[[Gray, np.random.Generator], Gray]  # of one face, uint8 [s, s]
Square = tuple[float, float, float]  # center right and down, side; in picture sides

SENSOR_NOISE = 3.0  # gray levels, standard deviation; what a dark picture drowns in


@dataclass(frozen=True)
class Condition:
    """One corruption of every face."""

    family: str
    level: str  # for a reader, with its unit
    change: Change


def conditions() -> list[Condition]:
    """Return all conditions, the unchanged faces first."""
    found = [Condition("as it is", "", lambda face, _: face)]
    found += [Condition("blur", f"{s:g} px", partial(blurred, sigma=s)) for s in (0.5, 1, 1.5, 2)]
    found += [Condition("noise", f"sd {s}", partial(noisy, deviation=s)) for s in (5, 10, 20, 30)]
    found += [Condition("low light", f"1/{f}", partial(dark, share=1 / f)) for f in (2, 4, 8, 16)]
    found += [Condition("JPEG", f"q {q}", partial(compressed, quality=q)) for q in (50, 30, 15, 8)]
    found += [Condition("small", f"{s} px", partial(downsized, side=s)) for s in (32, 24, 16, 12)]
    found += [
        Condition("rotated", f"{a:+d}°", partial(rotated, degrees=a))
        for a in (-15, -10, -5, 5, 10, 15)
    ]
    found += [
        Condition("shifted", f"{way} {100 * d:.0f} %", partial(cropped, square=(x * d, y * d, 1.0)))
        for way, x, y in (("right", 1, 0), ("down", 0, 1), ("up", 0, -1))
        for d in (0.05, 0.1, 0.15)
    ]
    found += [
        Condition("scaled", f"{s:g}", partial(cropped, square=(0.0, 0.0, s)))
        for s in (0.8, 0.9, 1.1, 1.2, 1.35)
    ]
    return found


# What cameras commonly do to a face. The confidence is fitted on these as well as on the faces as
# they are: fitted on those alone it promised news photographs 5 points more than it kept.
CALIBRATION_LEVELS = (
    ("blur", "1.5 px"),
    ("noise", "sd 10"),
    ("low light", "1/4"),
    ("JPEG", "q 15"),
    ("small", "16 px"),
    ("rotated", "+15°"),
)


def calibration_conditions() -> list[Condition]:
    """Return the conditions, the unchanged faces first, on which the confidence is fitted."""
    levels = {("as it is", ""), *CALIBRATION_LEVELS}
    return [found for found in conditions() if (found.family, found.level) in levels]


def corrupt(faces: Faces, condition: Condition, metadata: Metadata, seed: int) -> Faces:
    """Return the network's inputs, uint8 [n, S, S], of faces under a condition."""
    rng = np.random.default_rng(seed)
    return np.stack([preprocess_face(condition.change(f, rng), None, metadata) for f in faces])


def blurred(face: Gray, rng: np.random.Generator, sigma: float) -> Gray:
    """Blur with a Gaussian of `sigma` px of the 48 px face."""
    return np.asarray(cv2.GaussianBlur(face, (0, 0), sigma), np.uint8)


def noisy(face: Gray, rng: np.random.Generator, deviation: float) -> Gray:
    """Add Gaussian noise of so many gray levels."""
    return _bytes(face + rng.normal(0, deviation, face.shape))


def dark(face: Gray, rng: np.random.Generator, share: float) -> Gray:
    """Leave a share of the light, in front of a sensor with its noise, in 8 bits."""
    return _bytes(face * share + rng.normal(0, SENSOR_NOISE, face.shape))


def compressed(face: Gray, rng: np.random.Generator, quality: int) -> Gray:
    """Compress and read back."""
    data = cv2.imencode(".jpg", face, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_GRAYSCALE), np.uint8)


def downsized(face: Gray, rng: np.random.Generator, side: int) -> Gray:
    """Give the face only `side` px; the device enlarges it."""
    return np.asarray(cv2.resize(face, (side, side), interpolation=cv2.INTER_AREA), np.uint8)


def rotated(face: Gray, rng: np.random.Generator, degrees: float) -> Gray:
    """Turn about the center, the border repeated."""
    return _warped(face, (0.0, 0.0, 1.0), degrees)


def cropped(face: Gray, rng: np.random.Generator, square: Square) -> Gray:
    """Cut another square; outside of the picture its border is repeated."""
    return _warped(face, square, 0.0)


def _warped(face: Gray, square: Square, degrees: float) -> Gray:
    side = face.shape[0]
    middle = (side - 1) / 2
    center = (middle + square[0] * side, middle + square[1] * side)
    matrix = cv2.getRotationMatrix2D(center, degrees, 1 / square[2])
    matrix[:, 2] += (middle - center[0], middle - center[1])
    flags, border = cv2.INTER_LINEAR, cv2.BORDER_REPLICATE
    warped = cv2.warpAffine(face, matrix, (side, side), flags=flags, borderMode=border)
    return np.asarray(warped, np.uint8)


def _bytes(values: npt.NDArray[np.floating]) -> Gray:
    return np.asarray(np.clip(np.rint(values), 0, 255), np.uint8)


def measure(
    faces: Faces, truths: Truths, classifier: Classifier, condition: Condition, seed: int
) -> dict[str, Any]:
    """Return family, level and, by each truth, accuracy and balanced accuracy, fractions."""
    metadata = classifier.metadata
    changed = corrupt(faces, condition, metadata, seed)
    probabilities = softmax(classifier.logits(changed), metadata.temperature)
    out: dict[str, Any] = {"family": condition.family, "level": condition.level}
    for name, truth in truths.items():
        known = truth >= 0
        found = score(truth[known], probabilities[known], metadata.labels)
        out[name] = {key: found[key] for key in ("accuracy", "balanced_accuracy")}
    return out


def text(rows: Sequence[dict[str, Any]], truths: Sequence[str]) -> list[list[str]]:
    """Return the rows of a table: condition, accuracy by each truth and the points it lost."""
    first = rows[0]
    lines = [["", *(word for name in truths for word in (name, ""))]]
    for row in rows:
        cells = []
        for name in truths:
            accuracy = 100 * row[name]["accuracy"]
            lost = accuracy - 100 * first[name]["accuracy"]
            cells += [f"{accuracy:.1f} %", "" if row is first else f"{lost:+.1f}"]
        lines.append([f"{row['family']} {row['level']}".strip(), *cells])
    return lines
