"""Evaluation of all variants on the validation faces, int8 by the device's own classifier.

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
from mien.classification.prediction import softmax
from mien.classification.preprocess import preprocess_face
from mien.errors import UserError
from mien.evaluation.metrics import score
from mien.tflite.metadata import Metadata
from mien.tflite.model_file import load_model, pack
from mien_train.data.fer2013 import Dataset
from mien_train.data.ferplus import counts, majority
from mien_train.evaluation.calibration import fit_temperature
from tqdm import tqdm

from mien_convert.accuracy_gate import agreement, mean_kl
from mien_convert.evaluation.robustness import calibration_conditions, corrupt
from mien_convert.export import Converted
from mien_convert.report import VariantResult
from mien_convert.tflite_runner import interpreter, latency_ms_per_face
from mien_convert.tflite_runner import logits as variant_logits

Faces = npt.NDArray[np.uint8]  # [n, S, S]


CORRUPTION_SEED = 7

Labels = npt.NDArray[np.int64]  # [n], index into LABELS; -1 where the truth is not known


@dataclass(frozen=True)
class ValidationResult:
    """Logits and measures of a converted model on the validation faces."""

    float_logits: npt.NDArray[np.float32]  # [n, 7], Keras
    int8_logits: npt.NDArray[np.float32]  # [n, 7], mien.Classifier
    truth: Labels  # by which int8 is judged
    temperature: float  # see cautious_temperature
    variants: list[VariantResult]  # float32, float16, dynamic, int8, against truth
    corrupted_logits: npt.NDArray[np.float32]  # [c, n, 7], int8, see calibration_conditions

    @property
    def known(self) -> npt.NDArray[np.bool_]:
        """Which faces have a truth, bool [n]."""
        return self.truth >= 0


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


def people_labels(votes: Path, validation: Dataset) -> Labels:
    """Return the majority of FER+'s votes for each face; -1 for a tie or another class.

    Raises UserError where the file has no such votes.
    """
    return np.asarray(majority(counts(votes, validation)), np.int64)


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
    """Run all variants on the faces and measure each; Keras' own logits stand for float32."""
    known = truth >= 0
    int8_logits = device_logits(converted.variants["int8"], faces, metadata)
    corrupted = [int8_logits]
    for condition in tqdm(
        calibration_conditions()[1:], desc="corrupted", disable=None, leave=False
    ):
        inputs = corrupt(faces, condition, metadata, CORRUPTION_SEED)
        corrupted.append(device_logits(converted.variants["int8"], inputs, metadata))
    corrupted_logits = np.stack(corrupted)
    temperature = cautious_temperature(corrupted_logits[:, known], truth[known])
    logits = {"float32": converted.logits, "int8": int8_logits}
    with tqdm(total=2 * len(faces), disable=None, leave=False) as bar:
        for kind in ("float16", "dynamic"):
            bar.set_description(kind)
            logits[kind] = variant_logits(converted.variants[kind], faces, bar.update)
    variants = [
        VariantResult(
            name=kind,
            score=score(truth[known], softmax(logits[kind][known], temperature), metadata.labels),
            agreement=agreement(converted.logits, logits[kind]),
            mean_kl=mean_kl(converted.logits, logits[kind]),
            size=len(converted.variants[kind]),
            latency_ms=latency_ms_per_face(converted.variants[kind]),
        )
        for kind in ("float32", "float16", "dynamic", "int8")
    ]
    return ValidationResult(
        converted.logits, int8_logits, truth, temperature, variants, corrupted_logits
    )
