"""Measures a model from scene to reading: found by the detector, cropped, classified, counted."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
from mien.classification.classifier import Classifier
from mien.classification.preprocess import preprocess_face
from mien.detection.haar import Detector
from mien.pipeline.still import tta_logits
from mien.tflite.model_file import Crop, Metadata

from mien_convert.face_networks.pasted import find, offsets

MARGINS = (-0.1, -0.05, 0.0, 0.05, 0.1, 0.15, 0.2)
BANDS = ((48, 80), (80, 128), (128, 241))  # px, sides of pasted pictures told apart

Faces = npt.NDArray[np.uint8]  # [n, s, s]
Truths = dict[str, npt.NDArray[np.int64]]  # "benchmark", "people": [n], -1 where not known


@dataclass(frozen=True)
class Answers:
    """What was read of every face, in their order."""

    sides: npt.NDArray[np.int64]  # [n], px in the scene
    cropped: npt.NDArray[np.int64]  # [n], class read in the picture itself
    found: dict[float, npt.NDArray[np.int64]]  # by margin: [n], class read, -1 where missed
    offsets: list[tuple[float, float, float]]  # see convert.pasted.offsets
    scenes: int
    false: int  # boxes on no face
    seconds: float  # CPU time of the whole


def run(
    faces: Faces,
    classifier: Classifier,
    detector: Detector,
    margins: Sequence[float],
    seed: int,
    done: Callable[[int], object] = lambda n: None,
    still: bool = True,
) -> Answers:
    """Put the faces into scenes, find them, and read them with each of the margins.

    As `mien image` reads a `still`, in several views, else as a frame of a film, in one.
    """
    begin = time.process_time()
    metadata = classifier.metadata
    by_margin = {margin: with_margin(metadata, margin) for margin in margins}
    sides = np.zeros(len(faces), np.int64)
    found = {margin: np.full(len(faces), -1, np.int64) for margin in margins}
    away: list[tuple[float, float, float]] = []
    count = false = 0
    for result in find(faces, seed, detector, done):
        count, false = count + 1, false + result.false
        away += offsets(result)
        for place, box in zip(result.scene.placed, result.boxes, strict=True):
            sides[place.face] = place.side
            if box is None:
                continue
            for margin, asked in by_margin.items():
                gray = result.scene.gray
                if still:
                    told = tta_logits(classifier, gray, box, asked)
                else:
                    told = classifier.logits(preprocess_face(gray, box, asked)[np.newaxis])[0]
                found[margin][place.face] = int(told.argmax())
    whole = np.stack([preprocess_face(face, None, metadata) for face in faces])
    cropped = classifier.logits(whole).argmax(axis=1)
    return Answers(sides, cropped, found, away, count, false, time.process_time() - begin)


def with_margin(metadata: Metadata, margin: float) -> Metadata:
    """Return metadata that ask for another margin around the detector's box."""
    return replace(metadata, crop=Crop(margin, metadata.crop.shape))


def measure(answers: Answers, margin: float, truths: Truths) -> dict[str, Any]:
    """Return the accuracies at one margin, all fractions, by each truth.

    "end_to_end" counts a missed face as an error, "of_found" leaves it out; "cropped" is the
    accuracy on the pictures themselves, "cropped_of_found" that on those that were found.
    """
    read = answers.found[margin]
    out: dict[str, Any] = {"margin": margin, "missed": float((read < 0).mean())}
    out["by_side"] = [
        {
            "from": low,
            "to": high - 1,
            "n": int(mask.sum()),
            "missed": float((read[mask] < 0).mean()) if mask.any() else None,
        }
        for low, high in BANDS
        for mask in [(answers.sides >= low) & (answers.sides < high)]
    ]
    for name, truth in truths.items():
        known, seen = truth >= 0, read >= 0
        right, before = read == truth, answers.cropped == truth
        out[name] = {
            "n": int(known.sum()),
            "cropped": _share(before[known]),
            "end_to_end": _share(right[known]),
            "of_found": _share(right[known & seen]),
            "cropped_of_found": _share(before[known & seen]),
        }
    return out


def _share(values: npt.NDArray[np.bool_]) -> float | None:
    return float(values.mean()) if len(values) else None


def box_statistics(away: Sequence[tuple[float, float, float]]) -> dict[str, dict[str, float]]:
    """Return mean, standard deviation and 5th to 95th percentile of where the boxes lie."""
    table = np.asarray(away, np.float64).reshape(-1, 3)
    if not len(table):
        return {}
    return {
        name: {
            "mean": float(column.mean()),
            "sd": float(column.std()),
            "p5": float(np.percentile(column, 5)),
            "p95": float(np.percentile(column, 95)),
        }
        for name, column in zip(("right", "down", "side"), table.T, strict=True)
    }
