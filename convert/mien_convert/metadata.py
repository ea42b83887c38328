"""Metadata and card of a converted model, and the writing of its file."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import sys
import zipfile
from collections.abc import Callable
from datetime import datetime, timezone
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

import numpy as np
import numpy.typing as npt
from mien.atomic import check_target, replacing, sha256
from mien.classification.prediction import softmax
from mien.errors import UserError
from mien.evaluation.metrics import score
from mien.tflite.metadata import FORMAT, Crop, Metadata
from mien.tflite.model_file import append_metadata, find_model, load_model, pack
from mien_train.data.fer2013 import Dataset
from mien_train.data.labels import LABELS
from mien_train.evaluation.calibration import risk_coverage, threshold_at_accuracy
from mien_train.json_file import read_json

from mien_convert.accuracy_gate import agreement, mean_kl
from mien_convert.evaluate import ValidationResult
from mien_convert.export import Converted

MEASURES = ("n", "accuracy", "balanced_accuracy", "macro_f1", "recall", "ece")
CARD = "card.md"  # zip member of the model file
TOOLS = ("mien", "tensorflow", "keras", "ai-edge-litert", "numpy", "opencv-python", "scipy")


def draft_metadata(name: str, model_version: str, input_size: int, margin: float) -> Metadata:
    """Return metadata with what is known before the model is measured."""
    return Metadata(
        format=FORMAT,
        name=name,
        version=model_version,
        labels=LABELS,
        input_size=input_size,
        colour="gray",
        resize="area",
        crop=Crop(margin),
        temperature=1.0,
        threshold=0.0,
        metrics={},
        training={},
        licences={},
        created=creation_time(),
        sha256="",
    )


def creation_time() -> str:
    """Return the time, ISO 8601 in UTC, by SOURCE_DATE_EPOCH where it is set.

    https://reproducible-builds.org/specs/source-date-epoch/
    """
    epoch = os.environ.get("SOURCE_DATE_EPOCH")
    if not epoch:
        return datetime.now(timezone.utc).isoformat(timespec="seconds")
    try:
        return datetime.fromtimestamp(int(epoch), timezone.utc).isoformat(timespec="seconds")
    except (ValueError, OverflowError, OSError) as error:
        raise UserError(
            f"SOURCE_DATE_EPOCH is {epoch!r} and not seconds since 1970; unset or correct it."
        ) from error


def metrics(
    result: ValidationResult,
    validation: Dataset,
    duplicated: npt.NDArray[np.bool_],
    people: npt.NDArray[np.int64] | None,
) -> dict[str, Any]:
    """Return the measures of the float and the int8 model, fractions, on the validation faces.

    The first ones are against FER-2013's labels, as `mien eval` measures; with `people` (int64 [n],
    -1 where they did not agree) those against what people see follow, and on the faces that
    FER-2013 labels alike ("agreed"). `duplicated` (bool [n]) marks
    the faces with a byte-identical twin in training. ECEs are those of the packed temperature, as
    the device applies it.
    """

    def measure(truth: npt.NDArray[np.int64], which: npt.NDArray[np.bool_]) -> dict[str, Any]:
        found: dict[str, Any] = {"n": int(which.sum())}
        for kind, logits in (("float", result.float_logits), ("int8", result.int8_logits)):
            probabilities = softmax(logits[which], result.temperature)
            found[kind] = _rounded(score(truth[which], probabilities, LABELS))
        return found

    known = result.known
    found: dict[str, Any] = {"split": "validation (PublicTest)", "labels": "fer2013"}
    found |= measure(validation.labels, np.ones(len(validation), bool))
    if not duplicated.all():
        found["without_duplicates"] = measure(validation.labels, ~duplicated)
    if people is not None:
        found["people"] = measure(people, people >= 0)
        if (~duplicated & (people >= 0)).any():
            found["people"]["without_duplicates"] = measure(people, ~duplicated & (people >= 0))
        agreed = people == validation.labels
        if agreed.any():
            found["agreed"] = measure(people, agreed)
    curve = risk_coverage(
        softmax(result.int8_logits[known], result.temperature), result.truth[known]
    )
    judged_by_people = people is not None and np.array_equal(people, result.truth)
    return found | {
        "judged_by": "votes" if judged_by_people else "fer2013",
        "agreement": round(agreement(result.float_logits, result.int8_logits), 6),
        "mean_kl": round(mean_kl(result.float_logits, result.int8_logits), 6),
        "risk_coverage": [{key: round(v, 6) for key, v in row.items()} for row in curve],
    }


def _rounded(scores: dict[str, Any]) -> dict[str, Any]:
    def number(value: Any) -> Any:
        return round(value, 6) if isinstance(value, float) else value

    return {
        key: {label: number(recall) for label, recall in scores[key].items()}
        if key == "recall"
        else number(scores[key])
        for key in MEASURES
        if key in scores
    }


def training(model: Path, converted: Converted) -> dict[str, Any]:
    """Return the provenance: run.json, the hash of model.keras, and tool versions."""
    known = read_run(model.parent / "run.json")
    return {
        **known,
        "model_sha256": sha256(model),
        "architecture": converted.architecture,
        "parameters": converted.parameters,
        "convert_versions": tool_versions() | converted.versions,
    }


def origin(
    model: Path, flatbuffer: bytes, parameters: int, versions: dict[str, str], terms: dict[str, str]
) -> dict[str, Any]:
    """Return the fields of metadata.json on training, terms, time and hash of a small network."""
    return {
        "training": read_run(model.parent / "run.json")
        | {
            "model_sha256": sha256(model),
            "parameters": parameters,
            "convert_versions": tool_versions() | versions,
        },
        "licences": {"model": "Apache-2.0", **terms},
        "created": creation_time(),
        "sha256": hashlib.sha256(flatbuffer).hexdigest(),
    }


def card_end(fields: dict[str, Any]) -> list[str]:
    """Return a card's last sections, on licences and making, from metadata.json."""
    versions = fields["training"]["convert_versions"]
    return [
        "## Licences",
        "\n".join(f"- {what}: {terms}" for what, terms in fields["licences"].items()),
        "## Made",
        f"{fields['created']}, SHA-256 of the flatbuffer `{fields['sha256']}`. "
        + ", ".join(f"{tool} {found}" for tool, found in versions.items())
        + ".",
    ]


def read_run(path: Path) -> dict[str, Any]:
    """Return the provenance that mien-train wrote, without folders of its machine; {} if none."""
    try:
        run = read_json(path, {})
    except UserError as error:
        print(f"mien-convert: {error} It is left out.", file=sys.stderr)
        return {}
    return {str(key): _without_folders(value) for key, value in run.items()}


def _without_folders(value: Any) -> Any:
    """Cut absolute paths to their last part: the file goes round the world, the folders do not."""
    if isinstance(value, dict):
        return {key: _without_folders(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_without_folders(inner) for inner in value]
    if isinstance(value, str):
        for flavour in (PurePosixPath, PureWindowsPath):
            if flavour(value).is_absolute():
                return flavour(value).name
    return value


def tool_versions() -> dict[str, str]:
    """Return the versions of what takes part in a conversion."""
    found = {"python": platform.python_version()}
    for tool in TOOLS:
        try:
            found[tool] = version(tool)
        except PackageNotFoundError:
            continue
    return found


def licences(run: dict[str, Any]) -> dict[str, str]:
    """Return under which terms the model and what it was made of stand."""
    found = {
        "model": "Apache-2.0",
        "FER-2013": (
            "pictures found by web search for the ICML 2013 challenge (Goodfellow et al., 2013), "
            "published on Kaggle without a licence of their own; not contained in this file"
        ),
    }
    if "none" not in (str(run.get("weights", "")).lower(), str(_recipe(run, "weights")).lower()):
        found["ImageNet weights"] = "Apache-2.0 (keras.applications, MobileNetV2)"
    if any("face-api" in str(teacher) for teacher in run.get("teachers") or ()):
        found["face-api, a teacher"] = "MIT (npm @vladmandic/face-api); not contained in this file"
    return found


def _recipe(run: dict[str, Any], key: str) -> Any:
    recipe = run.get("recipe")
    return recipe.get(key, "") if isinstance(recipe, dict) else ""


def threshold(result: ValidationResult, accuracy: float) -> float:
    """Return the confidence below which a prediction is "uncertain".

    `accuracy` is that of the predictions above it, on the validation faces as they are and
    corrupted.
    """
    logits = result.corrupted_logits[:, result.known]
    return threshold_at_accuracy(
        softmax(logits.reshape(-1, logits.shape[2]), result.temperature),
        np.tile(result.truth[result.known], len(logits)),
        accuracy,
    )


def check_writable(out: Path) -> None:
    """Raise UserError where the output cannot be written, before minutes of work go into it."""
    if out.suffix != ".tflite":
        raise UserError(f"{out} must end in .tflite; correct --out.")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(
            f"{out} cannot be written ({error.strerror}); choose another place with --out."
        ) from error
    check_target(out)


def write(
    out: Path, flatbuffer: bytes, metadata: Metadata, card: Callable[[Metadata], str]
) -> None:
    """Write the model file with metadata and card inside; one rename puts it in place.

    `card` makes the card's Markdown from the metadata as the device loads them. Raises UserError
    where the file cannot be written or does not load.
    """
    with replacing(out, "--out") as part:
        part.write_bytes(pack(flatbuffer, metadata))
        append_card(part, card(load_model(part).metadata))


def write_network(out: Path, int8: bytes, fields: dict[str, Any], card: str) -> None:
    """Write a model file of plain fields with its card inside; raises UserError."""
    with replacing(out, "--out") as part:
        part.write_bytes(append_metadata(int8, json.dumps(fields, indent=1, ensure_ascii=False)))
        append_card(part, card)


def append_card(file: Path, text: str) -> None:
    """Append a card's Markdown to a model file that has metadata already."""
    member = zipfile.ZipInfo(CARD, date_time=(1980, 1, 1, 0, 0, 0))  # the same bytes anywhere
    member.compress_type = zipfile.ZIP_DEFLATED
    member.create_system = 3
    member.external_attr = 0o644 << 16
    with zipfile.ZipFile(file, "a") as archive:
        archive.writestr(member, text)


def read_card(path: Path) -> str:
    """Return the Markdown of a model file's card. Raises UserError where there is none."""
    found = find_model(path)
    try:
        with zipfile.ZipFile(found) as archive:
            return archive.read(CARD).decode("utf-8", "replace")
    except (OSError, KeyError, zipfile.BadZipFile, NotImplementedError) as error:
        raise UserError(
            f"{found} has no card inside; models that come with mien have a .md beside."
        ) from error
