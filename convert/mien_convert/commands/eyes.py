"""`mien-convert eyes`: a network of eyes or mouths to an int8 model file, or a refusal.

mien-convert eyes runs/eyes/model.keras eyes.zip --labels labels.npz --out eyes.tflite
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer
from mien_train.eyes.measure import to_text
from mien_train.eyes.parts import PARTS
from mien_train.eyes.patches import read_part

from mien_convert import eyes as conversion
from mien_convert.accuracy_gate import REFUSED
from mien_convert.metadata import check_writable
from mien_convert.model_card import reproduction_commands

UNKNOWN_TERMS = "their terms were not stated to the converter (--terms)."


def eyes(
    context: typer.Context,
    network: Annotated[
        Path, typer.Argument(metavar="MODEL", help="model.keras of mien-train eyes.")
    ],
    data: Annotated[
        Path, typer.Argument(metavar="DATA", help="The eye patches that it was trained on.")
    ],
    out: Annotated[
        Path, typer.Option("--out", "-o", metavar="FILE", help="The model file.")
    ] = Path("eyes.tflite"),
    part: Annotated[str, typer.Option(help="'eyes' or 'mouth'.")] = "eyes",
    labels: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Pseudo-labels of mien-train eyes-label.")
    ] = None,
    max_drop: Annotated[
        float,
        typer.Option(metavar="POINTS", min=0, help="What int8 may lose of float's ROC area."),
    ] = 0.3,
    terms: Annotated[
        str, typer.Option(metavar="TEXT", help="Terms of the data, for card and metadata.")
    ] = UNKNOWN_TERMS,
    seed: Annotated[int, typer.Option(help="Draws the calibration crops.")] = 7,
) -> None:
    """Convert a network of eyes or mouths to int8; write it only if it tells what float tells.

    Both are measured on the held-out patches, the int8 network through the code that runs on the
    device. Exits with 3 where int8 loses more than --max-drop.
    """
    check_writable(out)
    patches = read_part(part, data, labels)
    made = conversion.convert_part(network, PARTS[part], patches, seed)
    typer.echo("float\n" + to_text(made.float_rows))
    typer.echo("int8\n" + to_text(made.int8_rows))
    if made.lost_points > max_drop:
        print(
            f"mien-convert: refused: int8 loses {made.lost_points:.2f} points of ROC area, "
            f"{max_drop:g} are allowed; nothing was written.",
            file=sys.stderr,
        )
        raise typer.Exit(REFUSED)
    fields = conversion.metadata(network, PARTS[part], made, out.stem, terms)
    commands = reproduction_commands(context, fields["training"])
    conversion.write(out, made, fields, conversion.card(fields, made, PARTS[part], commands))
    typer.echo(
        f"wrote {out} ({out.stat().st_size / 1024:.0f} KB, {made.milliseconds:.3f} ms a crop)"
    )
