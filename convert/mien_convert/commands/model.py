"""`mien-convert model`: a Keras classifier to a full int8 model file, or a refusal.

mien-convert runs/mine/model.keras fer2013.zip --votes fer2013new.csv
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer
from mien.file_lock import locked
from mien_train.commands.arguments import DataArgument, VotesOption
from mien_train.data.duplicates import has_twin
from mien_train.data.fer2013 import load
from mien_train.data.ferplus import counts, majority, require_votes
from tqdm import tqdm

from mien_convert import metadata as provenance
from mien_convert.accuracy_gate import comparison, gate_failures, refusal
from mien_convert.evaluate import (
    MIN_CALIBRATION_FACES,
    calibration_faces,
    check_input_range,
    network_faces,
    read_all,
    validation_faces,
)
from mien_convert.export import converter
from mien_convert.export_worker import STEPS
from mien_convert.model_card import model_card, reproduction_commands

CERTAIN_ACCURACY = 0.85  # of faces as they are and corrupted; news photographs keep it, too


def model(
    context: typer.Context,
    network: Annotated[
        Path,
        typer.Argument(
            metavar="MODEL", help="model.keras of mien-train fit, in the folder of its run."
        ),
    ],
    data: DataArgument,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            "-o",
            metavar="FILE",
            help="Model file to write (default: RUN/RUN.tflite).",
        ),
    ] = None,
    name: Annotated[
        str | None, typer.Option(help="Name of the model (default: that of the run's folder).")
    ] = None,
    model_version: Annotated[str, typer.Option(metavar="TEXT", help="Version of the model.")] = "1",
    calibration: Annotated[
        int,
        typer.Option(
            metavar="N",
            min=MIN_CALIBRATION_FACES,
            help="Number of balanced training faces to calibrate on.",
        ),
    ] = 700,
    seed: Annotated[int, typer.Option(help="Seed of the calibration faces and of --limit.")] = 7,
    max_drop: Annotated[
        float,
        typer.Option(metavar="POINTS", min=0, help="Largest loss of accuracy from float to int8."),
    ] = 1.0,
    max_recall_drop: Annotated[
        float,
        typer.Option(
            metavar="POINTS",
            min=0,
            help="Largest loss of a class's recall; more is refused where McNemar's exact "
            "test has p < 0.05.",
        ),
    ] = 3.0,
    certain_accuracy: Annotated[
        float,
        typer.Option(
            min=0.1,
            max=1,
            help='Accuracy of predictions that are not "uncertain", on clean and corrupted faces.',
        ),
    ] = CERTAIN_ACCURACY,
    margin: Annotated[
        float,
        typer.Option(
            min=-0.25, max=1, help="Margin around a detector's box, on each side, in box sides."
        ),
    ] = 0.0,
    votes: VotesOption = None,
    labels: Annotated[
        str | None,
        typer.Option(
            metavar="fer2013|votes",
            help="Truth that judges int8 and fits the confidence; by default what the model was "
            "trained on, if --votes is there.",
        ),
    ] = None,
    limit: Annotated[
        int | None,
        typer.Option(metavar="N", min=7, help="Measure on about N validation faces only."),
    ] = None,
) -> None:
    """Convert a Keras model to a full int8 model file, measured by the device's own classifier.

    The float model and the int8 file read the validation split (PublicTest). If int8 loses more
    than --max-drop or --max-recall-drop, the exit status is 3 and nothing is written.
    """
    run_name = network.resolve().parent.name
    out = out or network.with_name(f"{run_name}.tflite")
    provenance.check_writable(out)
    truth_name = gate_truth(labels, votes, network)
    with locked(out), converter(network) as process:
        dataset = load(data)
        draft = provenance.draft_metadata(
            name or run_name, model_version, process.input_size, margin
        )
        ranged = network_faces(calibration_faces(dataset, calibration, seed), draft)
        validation = validation_faces(dataset, limit, seed)
        people = None if votes is None else majority(counts(votes, validation))
        faces = network_faces(validation.images, draft)
        with tqdm(total=len(STEPS), desc="converting", disable=None, leave=False) as bar:
            converted = process.convert(ranged, faces, lambda step: bar.update())
    check_input_range(converted.int8)
    truth = people if truth_name == "votes" and people is not None else validation.labels
    result = read_all(converted, faces, truth, draft)

    known = result.known
    pair = result.truth[known], result.float_logits[known], result.int8_logits[known]
    print(f"{known.sum()} validation faces, truth: {truth_name}; {len(ranged)} calibration faces")
    print(comparison(*pair, draft.labels))
    failures = gate_failures(*pair, draft.labels, max_drop, max_recall_drop)
    if failures:
        raise refusal("; ".join(failures), out)

    training = provenance.training(network, converted) | {
        "calibration_faces": len(ranged),
        "calibration_seed": seed,
    }
    duplicated = has_twin(validation, dataset.select(dataset.splits == "train"))
    metadata = replace(
        draft,
        temperature=result.temperature,
        threshold=provenance.threshold(result, certain_accuracy),
        metrics=provenance.metrics(result, validation, duplicated, people),
        training=training,
        licences=provenance.licences(training),
    )
    judged = metadata.metrics["people"] if truth_name == "votes" else metadata.metrics
    print(
        f"confidence by {truth_name}: temperature {metadata.temperature:.2f}, calibration error "
        f"{judged['int8']['ece']:.3f}, uncertain under {metadata.threshold:.2f}"
    )
    lines = reproduction_commands(context, training)
    provenance.write(
        out,
        converted.int8,
        metadata,
        lambda final: model_card(final, lines),
    )
    print(f"wrote {out} ({out.stat().st_size / 1e6:.2f} MB); its card: mien-convert card {out}")


def gate_truth(labels: str | None, votes: Path | None, network: Path) -> str:
    """Return "fer2013" or "votes", the truth of the accuracy gate.

    Without `labels` it is what the network was trained on, if the votes are given. Raises UserError
    for another word, or for votes without their file.
    """
    trained = provenance.read_run(network.parent / "run.json").get("labels", "fer2013")
    require_votes(labels or "fer2013", votes)
    if labels is None and trained == "votes" and votes is None:
        print(
            "mien-convert: the model was trained on people's votes; without --votes FER-2013's "
            "labels judge it",
            file=sys.stderr,
        )
    return labels or ("votes" if trained == "votes" and votes else "fer2013")
