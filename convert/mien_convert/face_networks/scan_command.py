"""`mien-convert scan`: make the network that searches a whole frame for faces.

mien-convert scan fer2013.zip --out edge/mien/detection/weights/face_ssd.tflite
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from mien_train.commands.arguments import DataArgument
from tqdm import tqdm

from mien_convert.face_networks import scan as making
from mien_convert.face_networks.common import begin, deliver
from mien_convert.face_networks.faceness_command import PicturesOption, read_pictures
from mien_convert.face_networks.people import Pictures
from mien_convert.face_networks.scan import Measured
from mien_convert.face_networks.scan_frames import Frame, frames
from mien_convert.metadata import check_writable

LEVELS = (-2.0, -1.0, 0.0, 1.0, 2.0)
MEASURED = 20  # a frame is measured on for so many that are learnt from
MULTIPLICATIONS = 18  # millions, for the card
# What is refused: shares of the faces that it does not see, and false places in a frame, at 0.
MOST_MISSED, MOST_FALSE = 0.15, 0.3


def scan(
    data: DataArgument,
    out: Annotated[Path, typer.Option(metavar="FILE", help="The .tflite; a card beside it.")],
    pictures: PicturesOption = None,
    number: Annotated[
        int, typer.Option("--frames", metavar="N", min=20, help="Made frames to learn from.")
    ] = 14000,
    epochs: Annotated[int, typer.Option(metavar="N", min=1, help="Times that each is shown.")] = 10,
    seed: Annotated[int, typer.Option(help="Draws faces, scenes and weights.")] = 7,
) -> None:
    """Train on made frames, quantise, measure on others, and write it or refuse.

    Faces are FER-2013's training pictures; every tenth is kept for the measurement. It takes about
    half an hour.
    """
    check_writable(out)
    scenery = read_pictures(pictures) if pictures else []
    learnt, held = begin(data, seed)

    def made(name: str, which: Pictures, number: int, seed: int) -> list[Frame]:
        drawn = frames(which, number, seed, scenery)
        return list(tqdm(drawn, desc=name, total=number, disable=None))

    network = making.build()
    shown = made("frames", learnt, number, seed)
    making.train(network, shown, epochs, seed, "network")
    int8 = making.quantised(network, shown)
    others = made("measuring", held, max(12, number // MEASURED), seed + 1)
    found = making.measure(int8, others, LEVELS)
    text = _card(found, len(int8), network.count_params(), number, epochs, seed, len(scenery))
    refusal = None
    if 1 - found.found[0.0] > MOST_MISSED or found.false[0.0] > MOST_FALSE:
        refusal = (
            f"the network misses {1 - found.found[0.0]:.1%} of the faces "
            f"({MOST_MISSED:.0%} allowed) and takes {found.false[0.0]:.2f} places in a frame for "
            f"faces ({MOST_FALSE} allowed), so none was written: give more --frames or --epochs."
        )
    deliver(out, int8, text, refusal)


def _card(
    found: Measured, size: int, parameters: int, number: int, epochs: int, seed: int, scenery: int
) -> str:
    """Return what the network is and does, in Markdown."""
    rows = "\n".join(
        f"| {level:g} | {found.found[level]:.1%} | {found.false[level]:.3f} |"
        for level in sorted(found.found)
    )
    with_them = " --pictures FOLDER" if scenery else ""
    return f"""# scan: the network that searches a whole frame

It proposes where in a frame there may be faces (edge/mien/detection/ssd.py): gray 320 x 240 px to
log odds,
place and size in each cell of three grids. {parameters:,} weights, int8, in {size / 1024:.0f} KB;
{MULTIPLICATIONS} million multiplications.

Made by `mien-convert scan fer2013.zip{with_them} --frames {number} --epochs {epochs} --seed {seed}`
from FER-2013's training pictures set into made scenes
(convert/mien_convert/face_networks/scan_frames.py), three in four of
them parts of {scenery:,} pictures without faces, among decoys that are set in just as the faces.

Measured with the int8 file on {found.faces:,} faces that it was not trained on, in
{found.frames:,} new frames:

| log odds | faces found | places on no face, in a frame |
|---|---|---|
{rows}

It knows faces seen from the front. What it says is a proposal: in films the network of
[faceness.md](faceness.md) and three cascades judge it, in photographs that of [judge.md](judge.md).
"""
