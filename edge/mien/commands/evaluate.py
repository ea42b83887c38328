"""`mien eval`: measures of a model on labelled faces, computed on the device."""

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

from mien.classification.classifier import Classifier
from mien.classification.prediction import softmax
from mien.classification.preprocess import preprocess_face
from mien.classification.profile import load_profile
from mien.commands.options import JsonOption, ModelOption, ThreadsOption
from mien.console import percent, progress, table
from mien.errors import UserError
from mien.evaluation.dataset import LabelledFace, LabelledImages, list_faces
from mien.evaluation.ferplus import read_votes
from mien.evaluation.truths import score_where, truths, vote_measures
from mien.tflite.metadata import Metadata
from mien.tflite.model_file import DEFAULT_MODEL, load_model

BATCH = 256  # faces held at once
NAMED = {"fer2013": "benchmark", "votes": "people"}  # in the table and, of the other one, in JSON
LISTED = 5  # faces that could not be read, named before the rest is only counted


def evaluate(
    data: Annotated[
        Path,
        typer.Argument(
            metavar="DATA",
            help="A folder or zip of face crops in class folders, at the top or in a folder per "
            "split; or fer2013.csv.",
        ),
    ],
    split: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Split to evaluate: a folder (train, test), or the beginning of file names "
            "(PublicTest, PrivateTest). Default: PublicTest if there is one, else test.",
        ),
    ] = None,
    model: ModelOption = DEFAULT_MODEL,
    labels: Annotated[
        str,
        typer.Option(
            metavar="fer2013|votes",
            help="Ground truth: the class folders, or the majority of --votes.",
        ),
    ] = "fer2013",
    votes: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Votes by file name, of mien-train votes: measure both truths.",
        ),
    ] = None,
    profile: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Profile of `mien calibrate` that corrects the predictions."
        ),
    ] = None,
    as_json: JsonOption = False,
    threads: ThreadsOption = 1,
) -> None:
    """Measure accuracy, recall and calibration on labelled faces.

    With --votes also against the majority of ten people; faces without a majority are left out
    there. Faces that cannot be read are reported and skipped; the exit code is then 2.
    """
    if labels not in NAMED or (labels == "votes" and votes is None):
        raise UserError(
            "--labels must be fer2013 (the class folders), or votes together with --votes FILE."
        )
    loaded = load_model(model)
    loaded_profile = None if profile is None else load_profile(profile, loaded.metadata)
    classifier = Classifier(loaded, threads, loaded_profile)
    faces = list_faces(data, loaded.metadata.labels, split)
    for name in faces.ignored:
        print(
            f"mien: left out {name} in {data}, which is not a class of the model", file=sys.stderr
        )
    skipped: list[str] = []
    voted: dict[str, npt.NDArray[np.floating]] = {}
    if votes is not None:  # before the faces are read, so that a wrong file is told at once
        names = [name for name, _ in faces.members]
        voted = dict(zip(names, read_votes(votes, names), strict=True))
    names, folders, logits = _classify(faces, classifier, skipped)
    probabilities = softmax(logits, loaded.metadata.temperature)
    table_of_votes = np.stack([voted[name] for name in names]) if voted else None
    found = {
        truth: scores
        for truth, answers in truths(table_of_votes, folders, loaded.metadata.labels).items()
        if (
            scores := score_where(
                answers, probabilities, loaded.metadata.labels, loaded.metadata.threshold
            )
        )
    }
    if NAMED[labels] not in found:
        raise UserError(f"No face in {data} has a majority of votes; use --labels fer2013.")
    document = _document(faces, loaded.metadata, classifier, labels, found, skipped)
    if table_of_votes is not None:
        document |= vote_measures(table_of_votes, probabilities, loaded.metadata.labels)
    if as_json:
        print(json.dumps(document, indent=1, allow_nan=False))
    else:
        print(_card(document, loaded.metadata))
    if skipped:
        raise typer.Exit(2)


def _classify(
    faces: LabelledImages, classifier: Classifier, skipped: list[str]
) -> tuple[list[str], npt.NDArray[np.int64], npt.NDArray[np.float32]]:
    """Return names, labels int64 [n] and logits float32 [n, K] of the faces that can be read."""

    def report(sentence: str) -> None:
        skipped.append(sentence)
        if len(skipped) <= LISTED:
            print(f"mien: {sentence}", file=sys.stderr)

    names: list[str] = []
    labels: list[int] = []
    logits = []
    read = progress(faces.faces(report), len(faces), "faces")
    while batch := list(islice(read, BATCH)):
        names += [name for name, _, _ in batch]
        labels += [label for _, label, _ in batch]
        logits.append(classifier.logits(_inputs(batch, classifier.metadata)))
    if len(skipped) > LISTED:
        print(f"mien: {len(skipped)} faces in all cannot be read", file=sys.stderr)
    if not labels:
        raise UserError(f"None of the {len(faces)} pictures in {faces.path} can be read.")
    return names, np.array(labels, np.int64), np.concatenate(logits)


def _inputs(batch: Sequence[LabelledFace], metadata: Metadata) -> npt.NDArray[np.uint8]:
    return np.stack([preprocess_face(gray, None, metadata) for _, _, gray in batch])


def _document(
    faces: LabelledImages,
    metadata: Metadata,
    classifier: Classifier,
    truth: str,
    found: dict[str, dict[str, Any]],
    skipped: Sequence[str],
) -> dict[str, Any]:
    """Return the JSON document: the measures by `truth`, and those by the other truths."""
    others = {key: scores for key, scores in found.items() if key != NAMED[truth]}
    return {
        "model": {"name": metadata.name, "version": metadata.version, "sha256": metadata.sha256},
        "data": str(faces.path),
        "split": faces.split,
        "other_splits": list(faces.others),
        "truth": truth,
        **found[NAMED[truth]],
        **others,
        "labels": list(metadata.labels),
        "temperature": metadata.temperature,
        "threshold": metadata.threshold,
        "xnnpack": classifier.xnnpack,
        "skipped": list(skipped),
    }


def _card(document: dict[str, Any], metadata: Metadata) -> str:
    """Return the document as tables, beside the figures of the model card."""
    where = document["data"] + (f", {document['split']}" if document["split"] else "")
    lines = [f"{metadata.name} {metadata.version} on {document['n']} faces of {where}"]
    others = [key for key in ("benchmark", "people", "agreed") if key in document]
    promised = promise(metadata, document["truth"])
    heads = [NAMED[document["truth"]] if others else "here"]
    heads += [*(["model card"] if promised else []), *others]

    def row(name: str, *keys: str) -> list[str]:
        cells = [document, *([promised] if promised else []), *(document[key] for key in others)]
        return [name, *(percent(_within(cell, keys)) for cell in cells)]

    if document["other_splits"]:
        lines.append(f"(also there: --split {' or '.join(document['other_splits'])})")
    rows = [["", *heads]]
    rows += [
        row(key.replace("_", " "), key)
        for key in ("accuracy", "balanced_accuracy", "macro_f1", "ece")
    ]
    rows += [row(f"recall {label}", "recall", label) for label in metadata.labels]
    rows.append(row("uncertain", "uncertain"))
    rows.append(row("accuracy of certain", "accuracy_of_certain"))
    lines += ["", table(rows, right=range(1, len(heads) + 1))]
    if others:
        lines += ["", "people: the majority of ten votes is one of the model's classes"]
        lines += ["agreed: that majority is the data's label as well"]
    if "by_voters" in document:
        rule, voters = document["ferplus_rule"], document["by_voters"]
        lines += [
            f"FER+'s own rule, eight classes: {percent(rule['accuracy'])} of {rule['n']} faces",
            "by voters who agree: "
            + ", ".join(f"{k} {percent(row['accuracy'])}" for k, row in voters.items()),
        ]
    if promised:
        split = metadata.metrics.get("split", "an unnamed split")
        lines += ["", f"model card: measured by mien-convert on {split}, n {promised.get('n')}"]
    counts = [["true \\ read", *metadata.labels]]
    for label, line in zip(metadata.labels, document["confusion"], strict=True):
        counts.append([label, *(str(count) for count in line)])
    lines += ["", table(counts, right=range(1, 1 + len(metadata.labels)))]
    return "\n".join(lines)


def promise(metadata: Metadata, truth: str = "fer2013") -> dict[str, Any]:
    """Return the converter's measures of this int8 model, {} if there are none."""
    measured = metadata.metrics.get("people") if truth == "votes" else metadata.metrics
    measures = measured.get("int8") if isinstance(measured, dict) else None
    return measures if isinstance(measures, dict) else {}


def _within(values: Any, keys: tuple[str, ...]) -> Any:
    """Return the value under nested keys, or None."""
    for key in keys:
        values = values.get(key) if isinstance(values, dict) else None
    return values
