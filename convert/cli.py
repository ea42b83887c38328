"""`mien-convert model.keras fer2013.zip --out mien.tflite`: to int8, packed or refused."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import typer
from tqdm import tqdm  # type: ignore[import-untyped]

from convert import calibration as calibrating
from convert import describe
from convert.card import card, commands
from convert.compare import class_losses, refusals
from convert.converter import converter
from convert.table import comparison
from convert.validate import check_input_range, network_faces, read_all, validation_faces
from convert.worker import STEPS
from convert.write import card_path, check_writable, write
from edge.errors import UserError as EdgeError
from edge.modelfile import pack
from train.dataset import load
from train.errors import UserError as TrainError

app = typer.Typer(
    rich_markup_mode=None,
    add_completion=False,
    pretty_exceptions_enable=False,
    no_args_is_help=True,
)

REFUSED = 3  # exit status


@app.command(no_args_is_help=True)
def convert(
    context: typer.Context,
    model: Path = typer.Argument(..., help="model.keras of mien-train fit, run.json beside it."),
    data: Path = typer.Argument(..., help="FER-2013: Kaggle's zip, its folder or fer2013.csv."),
    out: Path = typer.Option(
        Path("mien.tflite"), "--out", "-o", help="The model file; its card, .md, goes beside it."
    ),
    name: str = typer.Option("", help="The model's name; by default that of the file."),
    model_version: str = typer.Option("1", help="The model's version, as the metadata has it."),
    calibration: int = typer.Option(
        700, min=calibrating.MINIMUM, help="Training faces to calibrate on, balanced by class."
    ),
    calibration_faces: Path | None = typer.Option(
        None, help="Calibrate on these faces instead: a .npy of uint8 [n, h, w], or a folder."
    ),
    seed: int = typer.Option(7, help="Draws the calibration faces, and those of --limit."),
    max_drop: float = typer.Option(
        1.0, min=0, help="Points of accuracy that int8 may lose against float."
    ),
    max_recall_drop: float = typer.Option(
        3.0, min=0, help="Points of a class's recall that it may lose, if McNemar has p < 0.05."
    ),
    coverage: float = typer.Option(
        0.9, min=0.1, max=1, help='Share of the faces not called "uncertain".'
    ),
    margin: float = typer.Option(
        0.1, min=-0.25, max=1, help="Margin on each side of a detector's box, in box sides."
    ),
    limit: int | None = typer.Option(
        None, min=7, help="Measure on about so many validation faces only: for tests."
    ),
) -> None:
    """Convert a Keras model to a full int8 model file, measured by the device's own classifier.

    The float model and the int8 file read the validation split (PublicTest). If int8 loses more
    than --max-drop or --max-recall-drop, the exit status is 3 and nothing is written.
    """
    check_writable(out)
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
        faces = network_faces(validation.images, blank)
        with tqdm(total=len(STEPS), desc="converting", disable=None, leave=False) as bar:

            def done(step: str) -> None:
                bar.set_postfix_str(step)
                bar.update()

            converted = process.convert(ranged, faces, done)
    check_input_range(converted.variants["int8"])
    reading = read_all(converted, faces, validation.labels, blank)

    losses = class_losses(
        validation.labels, reading.float_logits, reading.int8_logits, blank.labels
    )
    print(f"{len(validation)} validation faces, {len(ranged)} calibration faces")
    print(comparison(reading.columns, losses, blank.labels))
    reasons = refusals(
        validation.labels,
        reading.float_logits,
        reading.int8_logits,
        blank.labels,
        max_drop,
        max_recall_drop,
    )
    if reasons:
        older = f" The older {out} was left as it was." if out.exists() else ""
        print(
            f"mien-convert: refused: {'; '.join(reasons)}. Nothing was written.{older}",
            file=sys.stderr,
        )
        raise typer.Exit(REFUSED)

    training = describe.training(model, converted) | {
        "calibration_faces": len(ranged),
        "calibration_source": calibration_faces.name if calibration_faces else "balanced",
        "calibration_seed": seed,
    }
    metadata = replace(
        blank,
        temperature=reading.temperature,
        threshold=describe.threshold(reading, coverage),
        metrics=describe.metrics(reading, validation, describe.copies(validation, dataset)),
        training=training,
        licences=describe.licences(training),
    )
    lines = commands(context, training)
    write(
        out,
        pack(converted.variants["int8"], metadata),
        lambda final: card(final, reading.columns, lines),
    )
    print(f"wrote {out} ({out.stat().st_size / 1e6:.2f} MB) and {card_path(out)}")


def main() -> None:
    """Run the command line; a UserError becomes one sentence on stderr and exit code 2."""
    try:
        app()
    except (EdgeError, TrainError) as error:
        print(f"mien-convert: {error}", file=sys.stderr)
        sys.exit(2)
