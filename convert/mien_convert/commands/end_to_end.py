"""`mien-convert scenes`: FER faces in made scenes, found by the detector, cropped and read.

mien-convert scenes mien fer2013.zip --votes fer2013new.csv
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from mien.classification.classifier import Classifier
from mien.console import table
from mien.detection.haar import HaarDetector
from mien.detection.still import PhotoDetector
from mien.errors import UserError
from mien.tflite.model_file import load_model
from tqdm import tqdm  # type: ignore[import-untyped]

from mien_convert.commands.arguments import (
    DataArgument,
    ModelArgument,
    VotesOption,
    chosen_faces,
    save_json,
)
from mien_convert.evaluation.end_to_end import MARGINS, Answers, box_statistics, measure, run


def scenes(
    model: ModelArgument,
    data: DataArgument,
    votes: VotesOption = None,
    split: Annotated[
        str | None, typer.Option(help="validation (the default), test or train.")
    ] = None,
    choose_margin: Annotated[
        bool,
        typer.Option(
            "--choose-margin", help="Try margins on TRAINING faces and say which reads best."
        ),
    ] = False,
    detector: Annotated[
        str,
        typer.Option(
            metavar="photos|video",
            help="The search of mien image (thorough), or a cascade's of a whole frame (fast).",
        ),
    ] = "photos",
    limit: Annotated[int, typer.Option(metavar="N", min=1, help="Faces, at most.")] = 1500,
    seed: Annotated[int, typer.Option(help="Draws faces, sizes, places and scenes.")] = 7,
    as_json: Annotated[bool, typer.Option("--json", help="Print the JSON document.")] = False,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the JSON document here, too.")
    ] = None,
) -> None:
    """Measure from scene to reading: faces of 48 to 240 px in scenes of 640x480 px.

    A face that the detector misses counts as an error, and is told apart. Beside it stands the
    accuracy on the pictures themselves.
    """
    if detector not in ("photos", "video"):
        raise UserError(f"--detector {detector} is not known; it takes photos or video.")
    if choose_margin and split not in (None, "train"):
        raise UserError("--choose-margin goes by training faces only: leave --split away.")
    loaded = load_model(model)
    classifier = Classifier(loaded)
    where = split or ("train" if choose_margin else "validation")
    faces, truths = chosen_faces(data, votes, where, limit, seed)
    still = detector == "photos"
    search = PhotoDetector() if still else HaarDetector()
    margins = MARGINS if choose_margin else (loaded.metadata.crop.margin,)
    with tqdm(total=len(faces), unit="face", disable=None, leave=False) as bar:
        answers = run(faces, classifier, search, margins, seed, bar.update, still)
    measured = [measure(answers, margin, truths) for margin in margins]
    judge = "people" if votes else "benchmark"
    best = max(measured, key=lambda row: row[judge]["end_to_end"] or 0.0)
    document: dict[str, Any] = {
        "model": {"name": loaded.metadata.name, "sha256": loaded.metadata.sha256},
        "split": where,
        "faces": len(faces),
        "scenes": answers.scenes,
        "seed": seed,
        "detector": detector,
        "false_boxes": answers.false,
        "boxes": box_statistics(answers.offsets),
        "cpu_seconds": round(answers.seconds, 1),
        "margins": measured,
        **({"best_margin": best["margin"]} if choose_margin else {}),
    }
    if out is not None:
        save_json(out, document)
    print(json.dumps(document, indent=1) if as_json else _text(document, answers, list(truths)))


def _text(document: dict[str, Any], answers: Answers, truths: list[str]) -> str:
    rows = [["margin", "truth", "cropped", "end to end", "of the found", "the same, cropped"]]
    for row in document["margins"]:
        for truth in truths:
            found = row[truth]
            keys = ("cropped", "end_to_end", "of_found", "cropped_of_found")
            rows.append([f"{row['margin']:+.2f}", truth, *(_percent(found[key]) for key in keys)])
    first = document["margins"][0]
    lines = [
        f"{document['model']['name']}: {document['faces']} faces ({document['split']}) in "
        f"{document['scenes']} scenes, search for {document['detector']}",
        "",
        table(rows, right=(2, 3, 4, 5)),
        "",
        f"missed: {_percent(first['missed'])} of the faces; "
        + ", ".join(
            f"{band['from']} to {band['to']} px {_percent(band['missed'])}"
            for band in first["by_side"]
        )
        + f"; {document['false_boxes']} boxes on no face",
        "end to end counts a missed face as an error",
    ]
    if answers.offsets:
        lines.append(
            "boxes against pictures, in its sides: "
            + ", ".join(
                f"{name} {found['mean']:+.3f} (sd {found['sd']:.3f})"
                for name, found in document["boxes"].items()
            )
        )
    if "best_margin" in document:
        lines.append(
            f"best margin {document['best_margin']:+.2f}: mien-convert MODEL DATA "
            f"--margin {document['best_margin']}"
        )
    lines.append(f"CPU time {document['cpu_seconds']} s")
    return "\n".join(lines)


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.1f} %"
