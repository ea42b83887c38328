"""`mien-convert eyes`: a network of eyes or mouths to an int8 model file, or a refusal.

mien-convert eyes runs/eyes/model.keras eyes.zip --labels labels.npz --out eyes.tflite
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from mien_train.eyes.measure import to_text
from mien_train.eyes.parts import PARTS
from mien_train.eyes.patches import read_part

from mien_convert import eyes as conversion
from mien_convert.accuracy_gate import refusal
from mien_convert.commands.arguments import UNKNOWN_TERMS, OutOption, TermsOption
from mien_convert.metadata import check_writable, write_network
from mien_convert.model_card import reproduction_commands


def eyes(
    context: typer.Context,
    network: Annotated[
        Path, typer.Argument(metavar="MODEL", help="model.keras of mien-train eyes.")
    ],
    data: Annotated[
        Path, typer.Argument(metavar="DATA", help="The eye patches that it was trained on.")
    ],
    out: OutOption = Path("eyes.tflite"),
    part: Annotated[str, typer.Option(help="'eyes' or 'mouth'.")] = "eyes",
    labels: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Pseudo-labels of mien-train eyes-label.")
    ] = None,
    max_drop: Annotated[
        float,
        typer.Option(metavar="POINTS", min=0, help="What int8 may lose of float's ROC area."),
    ] = 0.3,
    terms: TermsOption = UNKNOWN_TERMS,
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
        lost = f"int8 loses {made.lost_points:.2f} points of ROC area"
        raise refusal(f"{lost}, {max_drop:g} are allowed", out)
    fields = conversion.metadata(network, PARTS[part], made, out.stem, terms)
    commands = reproduction_commands(context, fields["training"])
    card = conversion.card(fields, made, PARTS[part], commands)
    write_network(out, made.int8, fields, card)
    typer.echo(
        f"wrote {out} ({out.stat().st_size / 1024:.0f} KB, {made.milliseconds:.3f} ms a crop)"
    )
