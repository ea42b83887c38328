"""`mien-convert end-to-end`: accuracy on whole photographs, missed faces counted as errors.

mien-convert end-to-end mien lfw_expr.zip
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from mien import Reader
from mien.commands.options import DetectorOption
from mien.console import progress, table
from mien.detection import DEFAULT_DETECTOR
from mien.evaluation.dataset import list_faces
from mien.tflite.model_file import load_model

from mien_convert.commands.arguments import ModelArgument
from mien_convert.evaluation.end_to_end import measure, read_photographs


def end_to_end(
    model: ModelArgument,
    data: Annotated[
        Path,
        typer.Argument(
            metavar="DATA", help="Folder or zip with a folder of photographs for each class."
        ),
    ],
    split: Annotated[
        str | None, typer.Option(metavar="NAME", help="Split, as for mien eval.")
    ] = None,
    detector: DetectorOption = DEFAULT_DETECTOR,
    as_json: Annotated[bool, typer.Option("--json", help="Print the JSON document.")] = False,
) -> None:
    """Measure detector and classifier together on labelled photographs.

    The largest face of a photograph is compared with its class; no face is an error.
    """
    metadata = load_model(model).metadata
    photographs = list_faces(data, metadata.labels, split)
    reader = Reader(model, detector)
    faces = progress(photographs.faces(), len(photographs), "photographs")
    found = measure(*read_photographs(faces, reader), metadata.labels)
    document: dict[str, Any] = {
        "model": {"name": metadata.name, "version": metadata.version, "sha256": metadata.sha256},
        "data": data.name,
        "detector": detector,
        **found,
    }
    print(json.dumps(document, indent=1) if as_json else _text(document))


def _text(document: dict[str, Any]) -> str:
    rows = [["photographs", f"{document['n']:,}"]]
    for title, key in (
        ("accuracy, missed faces wrong", "accuracy"),
        ("balanced accuracy", "balanced_accuracy"),
        ("missed faces", "missed"),
        ("accuracy of the found", "accuracy_of_found"),
        ("calibration error of the found", "ece_of_found"),
        ('not "uncertain"', "certain"),
        ("accuracy of these", "accuracy_of_certain"),
    ):
        value = document[key]
        rows.append([title, "-" if value is None else f"{value:.1%}"])
    rows += [
        [f"recall {label}", "-" if value is None else f"{value:.1%}"]
        for label, value in document["recall"].items()
    ]
    return table(rows, right=(1,))
