"""`mien-convert detector`: a trained face detector to an int8 model file, or a refusal.

mien-convert detector runs/detector/model.keras faces.zip --out face_detector.tflite
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from mien.errors import UserError
from mien_train.detector.dataset import load
from tqdm import tqdm

from mien_convert import detector as conversion
from mien_convert.accuracy_gate import refusal
from mien_convert.commands.arguments import UNKNOWN_TERMS, OutOption, TermsOption
from mien_convert.detector_worker import STEPS
from mien_convert.metadata import check_writable, write_network
from mien_convert.model_card import reproduction_commands


def detector(
    context: typer.Context,
    network: Annotated[
        Path, typer.Argument(metavar="MODEL", help="model.keras of mien-train detector.")
    ],
    data: Annotated[
        Path, typer.Argument(metavar="DATA", help="The photographs that it was trained on.")
    ],
    out: OutOption = Path("face_detector.tflite"),
    width: Annotated[
        int, typer.Option(min=64, help="Width of the input, a multiple of 16 px.")
    ] = 320,
    height: Annotated[
        int, typer.Option(min=64, help="Height of the input, a multiple of 16 px.")
    ] = 240,
    max_drop: Annotated[
        float,
        typer.Option(
            metavar="POINTS", min=0, help="What int8 may lose of float's average precision."
        ),
    ] = 1.0,
    terms: TermsOption = UNKNOWN_TERMS,
    seed: Annotated[int, typer.Option(help="Draws the calibration pictures.")] = 7,
) -> None:
    """Convert a face detector to int8; write it only if it finds what the float network finds.

    Both are measured on the validation photographs of DATA, the int8 network through the code that
    runs on the device. Exits with 3 where int8 loses more than --max-drop.
    """
    if width % 16 or height % 16:
        raise UserError(f"--width and --height must be multiples of 16, got {width} and {height}.")
    check_writable(out)
    photographs = load(data, lambda items: tqdm(items, desc="reading", disable=None))
    with tqdm(total=len(STEPS), desc="converting", disable=None) as bar:
        converted = conversion.convert_detector(
            network,
            photographs.train,
            photographs.validation,
            height,
            width,
            seed,
            lambda step: bar.update(1),
            lambda items: tqdm(items, desc="measuring", disable=None),
        )
    before, after = converted.float_metrics, converted.int8_metrics
    typer.echo(
        f"average precision {before['ap']:.1%} float, {after['ap']:.1%} int8; recall "
        f"{before['recall']:.1%} and {after['recall']:.1%} at 0.03 false boxes a picture"
    )
    if converted.lost_points > max_drop:
        lost = f"int8 loses {converted.lost_points:.1f} points of average precision"
        raise refusal(f"{lost}, {max_drop:g} are allowed", out)
    fields = conversion.metadata(network, converted, out.stem, height, width, terms)
    commands = reproduction_commands(context, fields["training"])
    write_network(out, converted.int8, fields, conversion.card(fields, commands))
    typer.echo(f"wrote {out}")
