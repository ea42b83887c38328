"""A trained face detector to an int8 file: conversion, accuracy gate, metadata and card.

Both networks are measured on the validation photographs: the float one as it was trained, the
int8 one through the device's own code.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from mien.classification.preprocess import normalize
from mien.detection.ssd import MIN_LOGIT, SsdDetector
from mien_train.detector.cells import STRIDES
from mien_train.detector.dataset import Photograph, Progress
from mien_train.detector.evaluate import Detect, evaluate, letterbox
from mien_train.detector.postprocess import detector_of

from mien_convert.detector_worker import STEPS
from mien_convert.export import converter
from mien_convert.metadata import card_end, origin
from mien_convert.tflite_runner import interpreter

FORMAT = 1
CALIBRATION_PICTURES = 256
OUTPUTS = {1: "scores", 4: "boxes", 10: "landmarks"}  # by their last dimension


@dataclass(frozen=True)
class ConvertedDetector:
    """What the converter's process made of a detector, and what was measured with it."""

    int8: bytes
    parameters: int
    versions: dict[str, str]  # of tensorflow and keras
    float_metrics: dict[str, float]  # of mien_train.detector.evaluate
    int8_metrics: dict[str, float]  # likewise, through mien.detection.ssd

    @property
    def lost_points(self) -> float:
        """Average precision that int8 lost, in percentage points."""
        return 100 * (self.float_metrics["ap"] - self.int8_metrics["ap"])


def convert_detector(
    model: Path,
    train: Sequence[Photograph],
    validation: Sequence[Photograph],
    height: int,
    width: int,
    seed: int,
    done: Callable[[str], object] = lambda step: None,
    progress: Progress = lambda items: items,
) -> ConvertedDetector:
    """Convert a model.keras of `mien-train detector` for one input size, and measure it.

    Ranges are calibrated on CALIBRATION_PICTURES of `train`. `done` gets the name of every step of
    the conversion, `progress` wraps the pictures that are measured. Raises UserError where the
    file is no such model.
    """
    chosen = np.random.default_rng(seed).permutation(len(train))[:CALIBRATION_PICTURES]
    calibration = np.stack([letterbox(train[i].image, height, width)[0] for i in chosen])
    with converter(model, "mien_convert.detector_worker") as process:
        np.save(process.folder / "calibration.npy", calibration)
        process.order(height=height, width=width)
        for _ in STEPS:
            done(process.answer()["done"])
        answer = process.answer()
        float32 = (process.folder / "float32.tflite").read_bytes()
        file = process.folder / "int8.tflite"
        int8, device = file.read_bytes(), device_detector(file)
    reference = float_detector(float32, height, width)
    return ConvertedDetector(
        int8=int8,
        parameters=answer["parameters"],
        versions=answer["versions"],
        float_metrics=evaluate(reference, validation, progress),
        int8_metrics=evaluate(device, validation, progress),
    )


def float_detector(float32: bytes, height: int, width: int) -> Detect:
    """The float network behind the training's decoder, with the device's least score."""
    runner = interpreter(float32)
    source, targets = runner.get_input_details()[0], runner.get_output_details()

    def forward(canvas: np.ndarray) -> dict[str, np.ndarray]:
        runner.set_tensor(source["index"], normalize(canvas[np.newaxis]))
        runner.invoke()
        values = [runner.get_tensor(target["index"])[0] for target in targets]
        return {OUTPUTS[value.shape[-1]]: value for value in values}

    return detector_of(forward, height, width, 1 / (1 + np.exp(-MIN_LOGIT)))


def device_detector(file: Path) -> Detect:
    """The int8 network as the device runs it."""
    detector = SsdDetector(file.read_bytes(), file.name)

    def detect(image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        found = detector.detect(image)
        boxes = np.array([one.box for one in found], "float64").reshape(-1, 4)
        return boxes, np.array([one.score for one in found])

    return detect


def metadata(
    model: Path, converted: ConvertedDetector, name: str, height: int, width: int, terms: str
) -> dict[str, Any]:
    """Everything that is known about the file, for metadata.json."""
    return {
        "format": FORMAT,
        "task": "face detection",
        "name": name,
        "input": {"width": width, "height": height, "colour": "gray", "resize": "area"},
        "outputs": {
            "strides": list(STRIDES),
            "scores": "logit of the box's IoU with a face",
            "boxes": "middle minus cell's center, in strides; log of width and height in strides",
            "landmarks": "eyes, nose, mouth corners minus cell's center, in strides",
        },
        "metrics": {"float": _numbers(converted.float_metrics)}
        | {"int8": _numbers(converted.int8_metrics)},
    } | origin(
        *(model, converted.int8, converted.parameters, converted.versions), {"photographs": terms}
    )


def _numbers(metrics: dict[str, float]) -> dict[str, float | None]:
    return {key: round(v, 6) if np.isfinite(v) else None for key, v in metrics.items()}


def card(fields: dict[str, Any], commands: Sequence[str]) -> str:
    """The model card in Markdown; `commands` are shell lines that make the model again."""
    metrics, training = fields["metrics"], fields["training"]
    names = ["", *(key[3:] for key in metrics["int8"] if key.startswith("ap "))]
    rows = ["| faces | number | AP, float | AP, int8 | recall, float | recall, int8 |"]
    rows.append("|---|---:|---:|---:|---:|---:|")
    for name in names:
        end = f" {name}" if name else ""
        cells = [
            (name and f"{name} px") or "24 px and more",
            f"{metrics['int8'][f'faces{end}']:.0f}",
        ]
        cells += [
            _percent(metrics[kind][f"{measure}{end}"])
            for measure in ("ap", "recall")
            for kind in ("float", "int8")
        ]
        rows.append("| " + " | ".join(cells) + " |")
    pictures = training.get("pictures", {})
    counts = ", ".join(
        f"{part} {number['pictures']} pictures with {number['faces']} faces"
        for part, number in pictures.items()
    )
    parts = [
        f"# {fields['name']}",
        "Finds faces in a gray picture and gives a score, a box and five landmarks for each. "
        f"An int8 TFLite network for {fields['input']['width']}x{fields['input']['height']} px, "
        f"{training['parameters']:,} weights, run by `mien` (`--detector ssd`). Single-shot and "
        "anchor-free as YuNet is (Wu et al., 2023).",
        "## Data",
        f"{training.get('data', 'photographs')}: {counts}. {fields['licences']['photographs']}",
        "## Commands",
        "```sh\n" + "\n".join(commands) + "\n```",
        "## Measured",
        "On the validation photographs, letterboxed to the input's size; sizes are those of a face "
        "(root of the area) if the picture's longest side were 640 px. AP: average precision at an "
        "IoU of 0.5, scores under the device's least one left out. Recall at 0.03 false boxes a "
        "picture. `float` is the Keras network, `int8` this file through the device's own code.",
        "\n".join(rows),
        "## Limits",
        "- Where the photographs are labelled by networks, what these miss is missing here too.\n"
        "- Faces that lie on their side, are upside down or mostly hidden are found rarely.\n"
        "- A face on a poster or a screen is found as a face.\n"
        "- How the errors are spread over groups of people was not measured.",
        *card_end(fields),
    ]
    return "\n\n".join(parts) + "\n"


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.1f} %"
