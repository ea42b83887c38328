"""`mien-convert judge`: make the network that judges places of photographs.

mien-convert judge fer2013.zip --pictures FOLDER --weights FILE --out
edge/mien/detection/weights/still_verifier.tflite
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from mien_train.commands.arguments import DataArgument
from tqdm import tqdm

from mien_convert.face_networks import faceness
from mien_convert.face_networks import judge as making
from mien_convert.face_networks.common import begin, deliver
from mien_convert.face_networks.faceness import Measured
from mien_convert.face_networks.faceness_command import read_pictures
from mien_convert.face_networks.judged import (
    Shown,
    alone,
    doubtful,
    faces_of,
    gather,
    joined,
    living,
    pasted,
    photographs,
)
from mien_convert.face_networks.people import Pictures
from mien_convert.face_networks.places import Odds, Places
from mien_convert.metadata import check_writable

OF_SCENE, OF_PICTURE, OF_ERRORS = 14, 40, 20  # places without a face of each, at most
PASTED = 4  # faces pasted for each scene of people
FIRST, LATER = 2, (3, 5)  # epochs: of the first network, and each time its errors are added
FRESH, TURNS = 5, 2  # scenes for one in which errors are looked for, and rounds of the pictures
MEASURED = 8  # a scene is measured on for so many that are learnt from
LEVELS = (-2.0, 0.0, 1.0, 2.0, 3.0)
MULTIPLICATIONS = 2.4  # millions, for the card
# What is refused: shares of the faces that it does not see, and of those places that it takes for
# faces most, most of them parts of faces; the shipped one has 0.0496 and 0.126.
MOST_MISSED, MOST_MISTAKEN = 0.05, 0.2


def judge(
    data: DataArgument,
    out: Annotated[Path, typer.Option(metavar="FILE", help="The .tflite; a card beside it.")],
    pictures: Annotated[
        Path, typer.Option(metavar="FOLDER", help="Photographs without faces, several hundred.")
    ],
    weights: Annotated[
        str,
        typer.Option(
            metavar="FILE", help="MobileNetV2, 0.35, no top; imagenet fetches them, none is random."
        ),
    ] = "imagenet",
    scenes: Annotated[
        int,
        typer.Option(metavar="N", min=12, help="Scenes of people to learn from; as many pasted."),
    ] = 900,
    seed: Annotated[int, typer.Option(help="Draws faces, scenes and weights.")] = 7,
) -> None:
    """Train on what the scan proposes, quantise, measure on other scenes, and write it or refuse.

    Faces are FER-2013's training pictures; every tenth is kept for the measurement. Places without
    a face come from made scenes and from photographs, first what the scan proposes, then, twice,
    what the network takes for faces. It takes about an hour on two cores.
    """
    check_writable(out)
    scenery = read_pictures(pictures)
    learnt, held = begin(data, seed)

    def cut(
        name: str, shown: Iterator[Shown], number: int, most: int, network: Odds | None = None
    ) -> Places:
        bar = tqdm(shown, desc=name, total=number, disable=None)
        return gather(bar, seed, most, network)

    def of_scenes(
        name: str, which: Pictures, number: int, seed: int, network: Odds | None = None
    ) -> Places:
        shown = chain(
            living(which, number, seed, scenery),
            pasted(which[: PASTED * number], seed, scenery),
        )
        return cut(name, shown, 2 * number, OF_SCENE, network)

    def of_pictures(name: str, seed: int, network: Odds | None = None) -> Places:
        most = OF_PICTURE if network is None else OF_ERRORS
        return cut(name, photographs(scenery, seed), len(scenery), most, network)

    network = making.build(None if weights == "none" else weights)
    shown = alone(learnt, seed)
    places = joined(
        of_scenes("scenes", learnt, scenes, seed),
        of_pictures("pictures", seed),
        faces_of(tqdm(shown, desc="faces", total=len(learnt), disable=None), seed),
    )
    making.train(network, places, FIRST, seed, "network")
    for turn, epochs in enumerate(LATER):
        odds = faceness.odds(network)
        fresh = np.roll(learnt, -PASTED * scenes * (turn + 1), axis=0)
        again = seed + 1 + TURNS * turn
        places = joined(
            doubtful(places, odds, again),
            of_scenes("its errors", fresh, max(6, scenes // FRESH), again, odds),
            *(of_pictures("its errors", again + side, odds) for side in range(TURNS)),
        )
        making.train(network, places, epochs, again, "network")
    int8 = faceness.quantised(network, places)
    others = of_scenes(
        "measuring", held, max(6, scenes // MEASURED), seed + 9, faceness.odds(network)
    )
    found = faceness.measure(int8, others, LEVELS)
    text = _card(found, len(int8), network.count_params(), scenes, seed, len(scenery))
    refusal = None
    if found.missed[0.0] > MOST_MISSED or found.mistaken[0.0] > MOST_MISTAKEN:
        refusal = (
            f"the network misses {found.missed[0.0]:.1%} of the faces "
            f"({MOST_MISSED:.0%} allowed) and takes {found.mistaken[0.0]:.2%} of the other places "
            f"for faces ({MOST_MISTAKEN:.0%}), so none was written: give more --scenes."
        )
    deliver(out, int8, text, refusal)


def _card(found: Measured, size: int, parameters: int, scenes: int, seed: int, scenery: int) -> str:
    """Return what the network is and does, in Markdown."""
    rows = "\n".join(
        f"| {level:g} | {found.missed[level]:.2%} | {found.mistaken[level]:.2%} |"
        for level in sorted(found.missed)
    )
    return f"""# judge: the network that judges places of photographs

It says whether a place that the [scan](scan.md) proposes in a still picture is a face
(edge/mien/detection/still_verifier.py): gray 48 x 48 px, the place with a fifth of its side
around it, brought to one mean
and contrast, to log odds. MobileNetV2, width 0.35, from ImageNet weights; {parameters:,} weights,
int8, in {size / 1024:.0f} KB; {MULTIPLICATIONS} million multiplications.

Made by `mien-convert judge fer2013.zip --pictures FOLDER --weights FILE --scenes {scenes} --seed
{seed}` from FER-2013's training pictures, set into made scenes as
convert/mien_convert/face_networks/scan_frames.py and
convert/mien_convert/face_networks/pasted.py do, among decoys, and each by itself, and from
{scenery:,} photographs and
pictures without faces: first places that the scan proposes, then, twice, those at which the network
erred.

Measured with the int8 file on {found.faces:,} views of faces that it was not trained on and on
{found.places:,} places without one in the same new scenes, those that the network takes for faces
most.

| log odds | faces under it | other places from it on |
|---|---|---|
{rows}
"""
