"""Faces to calibrate and validate on, and what both networks say of them.

The int8 model is packed, loaded and run as the device does it (mien.load_model, mien.Classifier);
the float model's logits come from Keras itself.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from mien.classification.classifier import Classifier
from mien.classification.preprocess import preprocess_face
from mien.errors import UserError
from mien.tflite.metadata import Metadata
from mien.tflite.model_file import load_model, pack
from mien_train.data.fer2013 import Dataset
from mien_train.data.labels import LABELS
from mien_train.data.subset import balanced
from mien_train.evaluation.calibration import fit_temperature
from tqdm import tqdm

from mien_convert.evaluation.robustness import calibration_conditions, corrupt
from mien_convert.export import Converted
from mien_convert.tflite_runner import interpreter

Faces = npt.NDArray[np.uint8]  # [n, S, S]
Labels = npt.NDArray[np.int64]  # [n], index into LABELS; -1 where the truth is not known

CORRUPTION_SEED = 7
MIN_CALIBRATION_FACES = 500  # fewer give unstable ranges


@dataclass(frozen=True)
class ValidationResult:
    """Logits of a converted model on the validation faces."""

    float_logits: npt.NDArray[np.float32]  # [n, 7], Keras
    int8_logits: npt.NDArray[np.float32]  # [n, 7], mien.Classifier
    truth: Labels  # by which int8 is judged
    temperature: float  # see cautious_temperature
    corrupted_logits: npt.NDArray[np.float32]  # [c, n, 7], int8, see calibration_conditions

    @property
    def known(self) -> npt.NDArray[np.bool_]:
        """Which faces have a truth, bool [n]."""
        return self.truth >= 0


def calibration_faces(data: Dataset, count: int, seed: int) -> Faces:
    """Draw at least `count` training faces, equally many of each class; uint8 [n, 48, 48].

    The draw is `mien_train.data.subset.balanced`: distinct faces, none of another split or with two
    labels. A class that is short of its share gives all that it has. The same seed draws the same
    faces. Raises UserError where the training split has too few.
    """
    per_class = -(-count // len(LABELS))
    chosen = balanced(data, seed, per_class)
    if len(chosen) < MIN_CALIBRATION_FACES:
        raise UserError(
            f"calibration needs {MIN_CALIBRATION_FACES} training faces and the data give "
            f"{len(chosen)} (distinct, in no other split, {per_class} of each class at most); give "
            "the whole of FER-2013."
        )
    return np.asarray(data.images[chosen], np.uint8)


def validation_faces(data: Dataset, limit: int | None, seed: int) -> Dataset:
    """Return the validation split, or about `limit` faces of it in its classes' proportions.

    Raises UserError where the data have no validation split.
    """
    chosen = np.flatnonzero(data.splits == "validation")
    if not len(chosen):
        raise UserError(
            "the data have no validation split (PublicTest); give the FER-2013 zip as Kaggle "
            "has it, its folder, or fer2013.csv."
        )
    if limit is not None and limit < len(chosen):
        generator = np.random.default_rng(seed)
        parts = []
        for label in np.unique(data.labels[chosen]):
            mine = chosen[data.labels[chosen] == label]
            share = max(1, round(limit * len(mine) / len(chosen)))
            parts.append(generator.permutation(mine)[:share])
        chosen = np.sort(np.concatenate(parts))
    return data.select(chosen)


def network_faces(images: npt.NDArray[np.uint8], metadata: Metadata) -> Faces:
    """Return network inputs of cropped faces [n, h, w], by the device's own preprocessing."""
    return np.stack([preprocess_face(image, None, metadata) for image in images])


def check_input_range(int8: bytes) -> None:
    """Raise UserError unless a pixel's byte is its quantised value, to half a step."""
    scale, zero_point = interpreter(int8).get_input_details()[0]["quantization"]
    if abs(scale * 127.5 - 1) > 1e-4 or zero_point not in (127, 128):
        raise UserError(
            f"the converter gave the input scale {scale:.6f} and zero point {zero_point} where "
            "1/127.5 and 127 or 128 are needed, so pixels would have to be rescaled on the "
            "device; report this with the versions of tensorflow and keras."
        )


def device_logits(int8: bytes, faces: Faces, metadata: Metadata) -> npt.NDArray[np.float32]:
    """Return logits float32 [n, 7] of the packed file, by the device's classifier."""
    with tempfile.TemporaryDirectory(prefix="mien-convert-") as folder:
        path = Path(folder) / "candidate.tflite"
        path.write_bytes(pack(int8, metadata))
        classifier = Classifier(load_model(path))
    parts = np.array_split(faces, max(1, len(faces) // 64))
    bar = tqdm(parts, desc="int8, as the device reads it", disable=None, leave=False)
    return np.concatenate([classifier.logits(part) for part in bar])


def cautious_temperature(logits: npt.NDArray[np.float32], truth: npt.NDArray[np.int64]) -> float:
    """Return the higher one of two temperatures: of the faces as they are, and of all conditions.

    `logits` is float32 [c, n, K], condition 0 the faces as they are; `truth` int64 [n]. A network
    trained on corrupted faces may be less confident there than it could be, and is never to be more
    confident on clean ones than they bear out.
    """
    conditions = np.tile(truth, len(logits))
    return max(
        fit_temperature(logits[0], truth),
        fit_temperature(logits.reshape(-1, logits.shape[2]), conditions),
    )


def read_all(
    converted: Converted, faces: Faces, truth: Labels, metadata: Metadata
) -> ValidationResult:
    """Run the int8 network on the faces, as they are and corrupted; fit the temperature."""
    known = truth >= 0
    int8_logits = device_logits(converted.int8, faces, metadata)
    corrupted = [int8_logits]
    for condition in tqdm(
        calibration_conditions()[1:], desc="corrupted", disable=None, leave=False
    ):
        inputs = corrupt(faces, condition, metadata, CORRUPTION_SEED)
        corrupted.append(device_logits(converted.int8, inputs, metadata))
    corrupted_logits = np.stack(corrupted)
    temperature = cautious_temperature(corrupted_logits[:, known], truth[known])
    return ValidationResult(converted.logits, int8_logits, truth, temperature, corrupted_logits)
