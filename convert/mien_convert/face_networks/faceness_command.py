"""`mien-convert faceness`: make the network that checks what the cascades take for faces.

mien-convert faceness fer2013.zip --out edge/mien/detection/weights/face_verifier.tflite
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import cv2
import numpy as np
import numpy.typing as npt
import typer
from mien.errors import UserError
from mien.tracking.track import CERTAIN, CLEARLY, NO, YES
from mien_train.commands.arguments import DataArgument
from tqdm import tqdm

from mien_convert.face_networks import faceness as making
from mien_convert.face_networks.common import begin, deliver
from mien_convert.face_networks.faceness import Measured
from mien_convert.face_networks.people import Pictures, people
from mien_convert.face_networks.places import Odds, Places, gather
from mien_convert.face_networks.scenes import STILLS, stills
from mien_convert.metadata import check_writable

PEOPLE_A_SCENE = 7  # at most, as many as are drawn
FIRST, LAST = 3, 6  # epochs of the first network, which only finds errors, and of the last
MEASURED = 8  # a frame is measured on for so many that are learnt from
MULTIPLICATIONS = 0.8  # millions, for the card
PicturesOption = Annotated[
    Path | None,
    typer.Option(
        "--pictures", metavar="FOLDER", help="Pictures without faces: most scenes, if given."
    ),
]
# What is refused: shares of the faces that it does not see, and of the places it takes for faces.
MOST_MISSED, MOST_MISTAKEN = 0.1, 0.02


def faceness(
    data: DataArgument,
    out: Annotated[Path, typer.Option(metavar="FILE", help="The .tflite; a card beside it.")],
    pictures: PicturesOption = None,
    frames: Annotated[
        int, typer.Option(metavar="N", min=12, help="Made frames to learn from.")
    ] = 3600,
    seed: Annotated[int, typer.Option(help="Draws faces, scenes and weights.")] = 7,
) -> None:
    """Train on places in made scenes, quantise, measure on others, and write it or refuse.

    Faces are FER-2013's training pictures; every tenth is kept for the measurement. First places
    without a face are drawn at random, then those at which a first network errs. It takes about
    half an hour on two cores.
    """
    check_writable(out)
    scenery = read_pictures(pictures) if pictures else []
    learnt, held = begin(data, seed)

    def cut(
        name: str, which: Pictures, number: int, seed: int, network: Odds | None = None
    ) -> Places:
        cast = people(which, number // STILLS * PEOPLE_A_SCENE + PEOPLE_A_SCENE, seed)
        made = tqdm(stills(cast, number, seed, scenery), desc=name, total=number, disable=None)
        return gather(made, seed, network)

    first = making.build()
    places = cut("places", learnt, frames, seed)
    making.train(first, places, FIRST, seed, "first network")
    errors = cut("its errors", learnt, frames, seed + 1, making.odds(first))
    places = Places(places.views + errors.views, places.faces + errors.faces)
    last = making.build()
    making.train(last, places, LAST, seed, "last network")
    int8 = making.quantised(last, places)
    others = cut("measuring", held, max(12, frames // MEASURED), seed + 2, making.odds(last))
    found = making.measure(int8, others, (NO, YES, CLEARLY, CERTAIN))
    text = _card(found, len(int8), last.count_params(), frames, seed, len(scenery))
    refusal = None
    if found.missed[YES] > MOST_MISSED or found.mistaken[CERTAIN] > MOST_MISTAKEN:
        refusal = (
            f"the network misses {found.missed[YES]:.1%} of the faces "
            f"({MOST_MISSED:.0%} allowed) and is certain of {found.mistaken[CERTAIN]:.2%} of the "
            f"other places ({MOST_MISTAKEN:.0%}), so none was written: give more --frames."
        )
    deliver(out, int8, text, refusal)


def read_pictures(folder: Path) -> list[npt.NDArray[np.uint8]]:
    """Return all pictures of a folder in gray; raises UserError where there is none."""
    found = [cv2.imread(str(file), cv2.IMREAD_GRAYSCALE) for file in sorted(folder.glob("*.*"))]
    read = [np.asarray(picture, np.uint8) for picture in found if picture is not None]
    if not read:
        raise UserError(f"{folder} holds no pictures; give a folder with --pictures.")
    return read


def _card(found: Measured, size: int, parameters: int, frames: int, seed: int, scenery: int) -> str:
    """Return what the network is and does, in Markdown."""
    rows = "\n".join(
        f"| {level:g} | {found.missed[level]:.2%} | {found.mistaken[level]:.2%} |"
        for level in sorted(found.missed)
    )
    with_them = " --pictures FOLDER" if scenery else ""
    return f"""# faceness: the network behind the cascades

It says whether a place that OpenCV's cascades propose is a face
(edge/mien/detection/verifier.py): gray 32 x 32
px, brought to one mean and contrast, to log odds. {parameters:,} weights, int8, in
{size / 1024:.0f} KB; {MULTIPLICATIONS} million multiplications.

Made by `mien-convert faceness fer2013.zip{with_them} --frames {frames} --seed {seed}`
from FER-2013's training pictures set into made scenes
(convert/mien_convert/face_networks/scenes.py), three in four of them
parts of {scenery:,} pictures without faces: first places drawn at random, then those at which a
first network erred.

Measured with the int8 file on {found.faces:,} views of faces that it was not trained on, off by
what a cascade's boxes are, and on {found.places:,} places without one in the same new frames: near
faces, anywhere, what the cascades took for faces, and in each frame the eight of 260 that this
network took for faces most.

| log odds | faces under it | other places from it on |
|---|---|---|
{rows}

It knows faces seen from the front. That it holds on photographs is checked by the tests with the
portraits and the clip of the demo, which it was not trained on.
"""
