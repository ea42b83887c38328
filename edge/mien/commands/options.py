"""Options that several commands share."""

from __future__ import annotations

from typing import Annotated

import typer

DetectorOption = Annotated[
    str,
    typer.Option(
        "--detector",
        metavar="NAME[:FILE]",
        help="haar is OpenCV's cascade; yunet:FILE.onnx runs OpenCV Zoo's YuNet from your file.",
    ),
]
LandmarksOption = Annotated[
    bool,
    typer.Option(
        "--landmarks",
        help="Add eyes, nose and mouth corners to each face in JSON, and the head's roll and yaw.",
    ),
]
