"""Options that several commands share."""

from __future__ import annotations

from typing import Annotated

import typer

FACES = "Faces and predictions"  # title of a group in the help

ModelOption = Annotated[
    str,
    typer.Option(
        "--model",
        metavar="NAME|FILE",
        help="Name of a bundled model, or a .tflite file from mien-convert.",
        rich_help_panel=FACES,
    ),
]
ThreadsOption = Annotated[
    int, typer.Option("--threads", metavar="N", min=1, help="Threads of the classifier.")
]
JsonOption = Annotated[
    bool, typer.Option("--json", help="Print one JSON document instead of a table.")
]
DetectorOption = Annotated[
    str,
    typer.Option(
        "--detector",
        metavar="NAME[:FILE]",
        help="ssd is Mien's network, ssd:FILE another of mien-convert's; haar is OpenCV's cascade; "
        "yunet:FILE.onnx runs YuNet of OpenCV Zoo from your file.",
        rich_help_panel=FACES,
    ),
]
LandmarksOption = Annotated[
    bool,
    typer.Option(
        "--landmarks",
        help="Add eyes, nose and mouth corners to each face in JSON, and the head's roll and yaw.",
        rich_help_panel=FACES,
    ),
]
