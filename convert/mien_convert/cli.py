"""`mien-convert model.keras fer2013.zip --out mien.tflite`: to int8, packed or refused.

`mien-convert robustness` measures a model file that it made.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer
from mien.errors import UserError as EdgeError
from mien.errors import UserError as TrainError
from mien.tflite.model_file import pack
from mien_train.data.duplicates import has_twin
from mien_train.data.fer2013 import load
from tqdm import tqdm  # type: ignore[import-untyped]

from mien_convert import calibration as calibrating
from mien_convert import metadata as describe
from mien_convert.accuracy_gate import REFUSED, class_losses, refusals
from mien_convert.commands.robustness import robustness
from mien_convert.evaluate import (
    check_input_range,
    network_faces,
    people_labels,
    read_all,
    validation_faces,
)
from mien_convert.export import Converted, Converter, Faces, converter
from mien_convert.export_worker import STEPS
from mien_convert.model_card import card, commands
from mien_convert.report import comparison, layer_table
from mien_convert.write import card_path, check_writable, write


def _app(command: Callable[..., None], **options: Any) -> typer.Typer:
    """Return a program of one command."""
    program = typer.Typer(
        rich_markup_mode=None,
        add_completion=False,
        pretty_exceptions_enable=False,
        no_args_is_help=True,
    )
    program.command(no_args_is_help=True, **options)(command)
    return program


def convert(
    context: typer.Context,
    model: Annotated[
        Path,
        typer.Argument(metavar="MODEL", help="model.keras of mien-train fit, run.json beside it."),
    ],
    data: Annotated[
        Path,
        typer.Argument(metavar="DATA", help="FER-2013: the Kaggle zip, its folder or fer2013.csv."),
    ],
    out: Annotated[
        Path,
        typer.Option(
            "--out", "-o", metavar="FILE", help="The model file; its card, .md, goes beside it."
        ),
    ] = Path("mien.tflite"),
    name: Annotated[
        str | None, typer.Option(help="The model's name; by default that of the file.")
    ] = None,
    model_version: Annotated[
        str, typer.Option(metavar="TEXT", help="The model's version, for the metadata.")
    ] = "1",
    calibration: Annotated[
        int,
        typer.Option(
            metavar="N",
            min=calibrating.MINIMUM,
            help="Training faces to calibrate on, equally many of each class.",
        ),
    ] = 700,
    calibration_faces: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE|DIR",
            help="Calibrate on these instead: a .npy of uint8 [n, h, w], or a folder of pictures.",
        ),
    ] = None,
    seed: Annotated[int, typer.Option(help="Draws the calibration faces, and --limit's.")] = 7,
    max_drop: Annotated[
        float,
        typer.Option(metavar="POINTS", min=0, help="What int8 may lose of float's accuracy."),
    ] = 1.0,
    max_recall_drop: Annotated[
        float,
        typer.Option(
            metavar="POINTS",
            min=0,
            help="What it may lose of a class's recall; more is refused where McNemar's exact "
            "test has p < 0.05.",
        ),
    ] = 3.0,
    coverage: Annotated[
        float, typer.Option(min=0.1, max=1, help='Share of the faces not called "uncertain".')
    ] = 0.9,
    margin: Annotated[
        float,
        typer.Option(
            min=-0.25, max=1, help="Margin around a detector's box on each side, in box sides."
        ),
    ] = 0.05,
    votes: Annotated[
        Path | None,
        typer.Option(
            "--votes",
            "--ferplus",
            metavar="FILE",
            help="FER+'s fer2013new.csv: measure against what people see, too.",
        ),
    ] = None,
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
        typer.Option(
            metavar="N", min=7, help="Measure on about N validation faces only: for tests."
        ),
    ] = None,
    explain: Annotated[
        bool,
        typer.Option("--explain", help="Show the layers that lose most in int8; takes minutes."),
    ] = False,
) -> None:
    """Convert a Keras model to a full int8 model file, measured by the device's own classifier.

    The float model and the int8 file read the validation split (PublicTest). If int8 loses more
    than --max-drop or --max-recall-drop, the exit status is 3 and nothing is written.
    """
    check_writable(out)
    judge = judging(labels, votes, model)
    with converter(model) as process:
        dataset = load(data)
        blank = describe.blank(name or out.stem, model_version, process.input_size, margin)
        chosen = (
            calibrating.read_faces(calibration_faces)
            if calibration_faces
            else calibrating.balanced_faces(dataset, calibration, seed)
        )
        ranged = network_faces(chosen, blank)
        validation = validation_faces(dataset, limit, seed)
        people = None if votes is None else people_labels(votes, validation)
        faces = network_faces(validation.images, blank)
        converted = run(process, ranged, faces, explain)
    check_input_range(converted.variants["int8"])
    truth = people if judge == "votes" and people is not None else validation.labels
    reading = read_all(converted, faces, truth, blank)

    known = reading.known
    pair = reading.truth[known], reading.float_logits[known], reading.int8_logits[known]
    print(f"{known.sum()} validation faces, truth: {judge}; {len(ranged)} calibration faces")
    print(comparison(reading.columns, class_losses(*pair, blank.labels), blank.labels))
    if converted.layers:
        print("\n" + layer_table(converted.layers))
    reasons = refusals(*pair, blank.labels, max_drop, max_recall_drop)
    if reasons:
        raise refusal(reasons, out)

    training = describe.training(model, converted) | {
        "calibration_faces": len(ranged),
        "calibration_source": calibration_faces.name if calibration_faces else "balanced",
        "calibration_seed": seed,
    }
    copied = has_twin(validation, dataset.select(dataset.splits == "train"))
    metadata = replace(
        blank,
        temperature=reading.temperature,
        threshold=describe.threshold(reading, coverage),
        metrics=describe.metrics(reading, validation, copied, people),
        training=training,
        licences=describe.licences(training),
    )
    judged = metadata.metrics["people"] if judge == "votes" else metadata.metrics
    print(
        f"confidence by {judge}: temperature {metadata.temperature:.2f}, calibration error "
        f"{judged['int8']['ece']:.3f}, uncertain under {metadata.threshold:.2f}"
    )
    lines = commands(context, training)
    write(
        out,
        pack(converted.variants["int8"], metadata),
        lambda final: card(final, reading.columns, lines),
    )
    print(f"wrote {out} ({out.stat().st_size / 1e6:.2f} MB) and {card_path(out)}")


def refusal(reasons: list[str], out: Path) -> typer.Exit:
    """Say why the model is not shipped; return what ends the program with status 3.

    An older file at the output was accepted in its time and stays.
    """
    older = f" The older {out} was left as it was." if out.exists() else ""
    print(
        f"mien-convert: refused: {'; '.join(reasons)}. Nothing was written.{older}",
        file=sys.stderr,
    )
    return typer.Exit(REFUSED)


def judging(labels: str | None, votes: Path | None, model: Path) -> str:
    """Return "fer2013" or "votes", the truth that int8 is judged by; says so where it must guess.

    Raises UserError for another word, or for votes without their file.
    """
    trained = describe.read_run(model.parent / "run.json").get("labels", "fer2013")
    if labels not in (None, "fer2013", "votes"):
        raise EdgeError(f"--labels {labels} is not known; it takes fer2013 or votes.")
    if labels == "votes" and votes is None:
        raise EdgeError("--labels votes needs --votes with FER+'s fer2013new.csv.")
    if labels is None and trained == "votes" and votes is None:
        print(
            "mien-convert: the model was trained on people's votes and is judged by FER-2013's "
            "labels, for --votes is missing",
            file=sys.stderr,
        )
    return labels or ("votes" if trained == "votes" and votes else "fer2013")


def run(process: Converter, calibration: Faces, faces: Faces, explain: bool) -> Converted:
    """Let the converter's process work and show how far it is."""
    with tqdm(total=len(STEPS), desc="converting", disable=None, leave=False) as bar:

        def done(step: str, repeats: int) -> None:
            bar.total = len(STEPS) + repeats
            bar.set_postfix_str(step)
            bar.update()

        return process.convert(calibration, faces, explain, done)


app = _app(
    convert,
    epilog="Of a model file made: mien-convert robustness (--help).",
)
# Beside the conversion, which is what the program is called for and needs no name of its own.
COMMANDS = {
    "robustness": _app(robustness),
}


def main() -> None:
    """Run the command line; a UserError becomes one sentence on stderr and exit code 2."""
    try:
        name = sys.argv[1] if len(sys.argv) > 1 else ""
        if name in COMMANDS:
            COMMANDS[name](args=sys.argv[2:], prog_name=f"mien-convert {name}")
        else:
            app()
    except (EdgeError, TrainError) as error:
        print(f"mien-convert: {error}", file=sys.stderr)
        sys.exit(2)
