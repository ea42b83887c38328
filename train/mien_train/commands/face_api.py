"""`mien-train face-api`: the expression network of face-api as a teacher.

mien-train face-api node_modules/@vladmandic/face-api/model --run runs/face-api
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def face_api(
    folder: Annotated[
        Path, typer.Argument(help="The folder 'model' of the npm package @vladmandic/face-api.")
    ],
    run: Annotated[Path, typer.Option(help="Folder for model.keras.")],
) -> None:
    """Make a model.keras of face-api's expression network, for fit's --teacher."""
    from mien_train.backend import start_backend
    from mien_train.classifier import face_api as network

    start_backend()
    from mien_train.classifier.predict import save_model

    model = network.build(folder)
    run.mkdir(parents=True, exist_ok=True)
    save_model(model, run / "model.keras")
    typer.echo(f"wrote {run / 'model.keras'}")
