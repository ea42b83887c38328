"""A trained network of eyes or mouths to an int8 file: conversion, gate, metadata and card."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from mien.tflite.interpreter import TfliteNetwork
from mien_train.evaluation.calibration import fit_temperature
from mien_train.eyes.measure import FALSE_RATE, Measured, joint, measure
from mien_train.eyes.parts import Part, crops
from mien_train.eyes.patches import Patches

from mien_convert.export import converter
from mien_convert.eyes_worker import STEPS
from mien_convert.metadata import card_end, origin
from mien_convert.tflite_runner import latency_ms_per_face
from mien_convert.tflite_runner import logits as float_logits

FORMAT = 1
CALIBRATION_CROPS = 700
STATES = {"eyes": "an open eye", "mouth": "a mouth as wide as in a yawn"}


@dataclass(frozen=True)
class ConvertedPart:
    """What the converter's process made of a network, and what was measured with it."""

    int8: bytes
    parameters: int
    versions: dict[str, str]  # of tensorflow and keras
    temperature: float
    float_rows: list[Measured]
    int8_rows: list[Measured]
    milliseconds: float  # a crop, one thread of the machine that converted

    @property
    def lost_points(self) -> float:
        """ROC area that int8 lost over all sources, in percentage points."""
        return 100 * (self.float_rows[0].auc - self.int8_rows[0].auc)


def convert_part(model: Path, part: Part, patches: Patches, seed: int) -> ConvertedPart:
    """Convert a model.keras of `mien-train eyes` and measure it on the held-out patches.

    Raises UserError where the file is no such model.
    """
    train, held = (patches.where(patches.split == name) for name in ("train", "val"))
    chosen = np.zeros(len(train), bool)
    chosen[np.random.default_rng(seed).permutation(len(train))[:CALIBRATION_CROPS]] = True
    calibration, views = crops(train.where(chosen), part), crops(held, part)
    float32, _, _ = _run(model, calibration, 1.0)
    temperature = _temperature(float_logits(float32["float32"], views)[:, 0], held.state)
    files, parameters, versions = _run(model, calibration, temperature)
    return ConvertedPart(
        int8=files["int8"],
        parameters=parameters,
        versions=versions,
        temperature=temperature,
        float_rows=measure(
            held, joint(float_logits(files["float32"], views), part.name), part.name
        ),
        int8_rows=measure(held, joint(device_logits(files["int8"], views), part.name), part.name),
        milliseconds=latency_ms_per_face(files["int8"]),
    )


def device_logits(int8: bytes, views: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """Return logits float32 [n, 2] of crops uint8 [n, h, w], as the device reads them."""
    network = TfliteNetwork(int8, "the int8 network")
    return np.stack([network.run(view)[0] for view in views])


def _run(
    model: Path, calibration: npt.NDArray[np.uint8], temperature: float
) -> tuple[dict[str, bytes], int, dict[str, str]]:
    with converter(model, "mien_convert.eyes_worker") as process:
        np.save(process.folder / "calibration.npy", calibration)
        process.order(temperature=temperature)
        for _ in STEPS:
            process.answer()
        answer = process.answer()
        files = {
            kind: (process.folder / f"{kind}.tflite").read_bytes() for kind in ("float32", "int8")
        }
    return files, answer["parameters"], answer["versions"]


def _temperature(logit: npt.NDArray[np.float32], state: npt.NDArray[np.float32]) -> float:
    """Return the temperature of a logit by its truth: that of two classes, one at zero."""
    both = np.stack([np.zeros_like(logit), logit], axis=1)
    return float(fit_temperature(both, (state >= 0.5).astype(np.int64)))


def metadata(model: Path, part: Part, made: ConvertedPart, name: str, terms: str) -> dict[str, Any]:
    """Return everything that is known about the file, for metadata.json."""
    return {
        "format": FORMAT,
        "task": part.name,
        "name": name,
        "input": {
            "width": part.shape.width,
            "height": part.shape.height,
            "colour": "gray",
            "span": part.shape.span,
            "below": part.shape.below,
        },
        "outputs": [f"logit of {STATES[part.name]}", "logit that it can be seen"],
        "temperature": round(made.temperature, 4),
        "metrics": {
            "float": [_rounded(row) for row in made.float_rows],
            "int8": [_rounded(row) for row in made.int8_rows],
        },
    } | origin(model, made.int8, made.parameters, made.versions, {"data": terms})


def _rounded(row: Measured) -> dict[str, Any]:
    return {k: round(v, 5) if isinstance(v, float) else v for k, v in asdict(row).items()}


def card(fields: dict[str, Any], made: ConvertedPart, part: Part, commands: Sequence[str]) -> str:
    """Return the model card in Markdown; `commands` are shell lines that make the model again."""
    positive = "closed" if part.name == "eyes" else "yawning"
    lines = [
        f"| held-out patches | number | {positive} | AUC, float | AUC, int8 | "
        f"found at {FALSE_RATE:.0%} false, int8 |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for before, after in zip(made.float_rows, made.int8_rows, strict=True):
        lines.append(
            f"| {after.group} | {after.count} | {after.positive} | {before.auc:.4f} | "
            f"{after.auc:.4f} | {after.found:.1%} |"
        )
    shape = part.shape
    parts = [
        f"# {fields['name']}",
        f"Tells {STATES[part.name]} in a gray crop of {shape.width}x{shape.height} px, "
        f"{shape.span} distances between the eyes wide, and whether it can be seen at all. "
        f"An int8 TFLite network of {made.parameters:,} weights, {len(made.int8) / 1024:.0f} KB, "
        f"{made.milliseconds:.3f} ms a crop on the machine that converted it. Run by "
        "`mien run --alertness`.",
        "## Data",
        terms_text(fields),
        "## Commands",
        "```sh\n" + "\n".join(commands) + "\n```",
        "## Measured",
        "On patches of people who are not in training, cut as the device cuts them. `pseudo` are "
        "faces of FER-2013's PublicTest labeled by the face mesh, so that errors of the mesh count "
        f"as errors of the network. The logit is divided by {made.temperature:.3f}, fitted on the "
        "same patches.",
        "\n".join(lines),
        "## Limits",
        "- It sees lids, not sleep: eyes that look down look closed.\n"
        "- Glasses with reflections, heavy make-up and narrow eyes are read less well.\n"
        "- How the errors are spread over groups of people was not measured.",
        *card_end(fields),
    ]
    return "\n\n".join(parts) + "\n"


def terms_text(fields: dict[str, Any]) -> str:
    """Return the sources of the data and their hashes."""
    hashes = fields["training"].get("data", {})
    files = "".join(f"\n- `{name}`, SHA-256 `{value}`" for name, value in hashes.items())
    return (
        "Eyes: Closed Eyes in the Wild (Song et al., 2014), MRL Eye Dataset (Fusek, 2018; "
        "infrared), close-ups of a public drowsiness data set; research terms. Yawns: Roboflow "
        '"yawn_detection" (CC BY 4.0). Pseudo-labels: faces of FER-2013, labeled by MediaPipe\'s '
        "face mesh (Apache-2.0) and cut by YuNet's landmarks (MIT); both taught, neither is in the "
        f"file.{files}"
    )
