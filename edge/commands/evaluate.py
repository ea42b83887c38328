"""`mien eval`: what a model is worth on labelled faces, computed on the device."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt
import typer

from edge.classifier import Classifier
from edge.commands.progress import progress
from edge.commands.table import table
from edge.crop import face_input
from edge.errors import UserError
from edge.faceset import FaceSet, LabelledFace, list_faces
from edge.metrics import score
from edge.modelfile import Metadata, load_model
from edge.reading import softmax

BATCH = 256  # faces held at once
LISTED = 5  # faces that could not be read, named before the rest is only counted


def evaluate(
    data: Annotated[
        Path,
        typer.Argument(
            metavar="DATA",
            help="A folder or zip of face crops in class folders, at the top or in a folder per "
            "split.",
        ),
    ],
    split: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="The split to read: a folder (train, test), or how file names begin (PublicTest, "
            "PrivateTest). Without it: PublicTest, where there is one, else test.",
        ),
    ] = None,
    model: Annotated[
        str,
        typer.Option(metavar="NAME|FILE", help="A shipped model, or a .tflite of mien-convert."),
    ] = "mien",
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON document instead of a table.")
    ] = False,
    threads: Annotated[
        int, typer.Option(metavar="N", min=1, help="Threads of the classifier.")
    ] = 1,
) -> None:
    """Measure accuracy, recall and calibration on labelled faces.

    Faces that cannot be read are reported and left out; the exit code is then 2.
    """
    loaded = load_model(model)
    classifier = Classifier(loaded, threads)
    faces = list_faces(data, loaded.metadata.labels, split)
    for name in faces.ignored:
        print(f"mien: left out {name} in {data}, which is no class of the model", file=sys.stderr)
    skipped: list[str] = []
    labels, logits = _classify(faces, classifier, skipped)
    probabilities = softmax(logits, loaded.metadata.temperature)
    scores = score(labels, probabilities, loaded.metadata.labels)
    scores["uncertain"] = float((probabilities.max(axis=1) < loaded.metadata.threshold).mean())
    document = _document(faces, loaded.metadata, classifier, scores, skipped)
    if as_json:
        print(json.dumps(document, indent=1, allow_nan=False))
    else:
        print(_card(document, loaded.metadata))
    if skipped:
        raise typer.Exit(2)


def _classify(
    faces: FaceSet, classifier: Classifier, skipped: list[str]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]:
    """Return labels, int64 [n], and logits, float32 [n, K], of the faces that can be read."""

    def report(sentence: str) -> None:
        skipped.append(sentence)
        if len(skipped) <= LISTED:
            print(f"mien: {sentence}", file=sys.stderr)

    labels: list[int] = []
    logits = []
    read = progress(faces.faces(report), len(faces), "faces")
    while batch := list(islice(read, BATCH)):
        labels += [label for _, label, _ in batch]
        logits.append(classifier.logits(_inputs(batch, classifier.metadata)))
    if len(skipped) > LISTED:
        print(f"mien: {len(skipped)} faces in all cannot be read", file=sys.stderr)
    if not labels:
        raise UserError(f"None of the {len(faces)} pictures in {faces.path} can be read.")
    return np.array(labels, np.int64), np.concatenate(logits)


def _inputs(batch: Sequence[LabelledFace], metadata: Metadata) -> npt.NDArray[np.uint8]:
    return np.stack([face_input(gray, None, metadata) for _, _, gray in batch])


def _document(
    faces: FaceSet,
    metadata: Metadata,
    classifier: Classifier,
    scores: dict[str, Any],
    skipped: Sequence[str],
) -> dict[str, Any]:
    return {
        "model": {"name": metadata.name, "version": metadata.version, "sha256": metadata.sha256},
        "data": str(faces.path),
        "split": faces.split,
        "other_splits": list(faces.others),
        **scores,
        "labels": list(metadata.labels),
        "temperature": metadata.temperature,
        "threshold": metadata.threshold,
        "xnnpack": classifier.xnnpack,
        "skipped": list(skipped),
    }


def _card(document: dict[str, Any], metadata: Metadata) -> str:
    """Return the document for a reader, beside what the model's file promises."""
    where = document["data"] + (f", {document['split']}" if document["split"] else "")
    lines = [f"{metadata.name} {metadata.version} on {document['n']} faces of {where}"]
    if document["other_splits"]:
        lines.append(f"(also there: --split {' or '.join(document['other_splits'])})")
    promised = promise(metadata)
    rows = [["", "here"] + (["promised"] if promised else [])]
    for key in ("accuracy", "balanced_accuracy", "macro_f1", "ece"):
        rows.append(_row(key.replace("_", " "), document[key], promised, promised.get(key)))
    for label, value in document["recall"].items():
        there = promised.get("recall", {}).get(label)
        rows.append(_row(f"recall {label}", value, promised, there))
    rows.append(_row("uncertain", document["uncertain"], promised, None))
    lines += ["", table(rows, right=(1, 2))]
    if promised:
        split = metadata.metrics.get("split", "an unnamed split")
        lines += ["", f"promised: what the model's file says of {split}, n {promised.get('n')}"]
    counts = [["true \\ read", *metadata.labels]]
    for label, row in zip(metadata.labels, document["confusion"], strict=True):
        counts.append([label, *(str(count) for count in row)])
    lines += ["", table(counts, right=range(1, 1 + len(metadata.labels)))]
    return "\n".join(lines)


def promise(metadata: Metadata) -> dict[str, Any]:
    """Return the measures that the converter wrote of this int8 model, {} where it wrote none."""
    measures = metadata.metrics.get("int8")
    return measures if isinstance(measures, dict) else {}


def _row(name: str, here: float | None, promised: dict[str, Any], there: Any) -> list[str]:
    row = [name, "-" if here is None else f"{100 * here:.1f} %"]
    if promised:
        row.append(f"{100 * there:.1f} %" if isinstance(there, (int, float)) else "-")
    return row
