"""`mien-train eyes-label`: pseudo-labels of eyes and mouths by a face mesh.

mien-train eyes-label fer2013.zip --yawns eyes.zip --detector yunet.onnx --out labels.npz
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from mien.atomic import write_file
from mien.errors import UserError


def eyes_label(
    data: Annotated[
        Path, typer.Argument(help="FER-2013: the Kaggle zip, its folder or fer2013.csv.")
    ],
    detector: Annotated[
        Path, typer.Option(help="YuNet's ONNX file (OpenCV Zoo), for the landmarks.")
    ],
    out: Annotated[Path, typer.Option(help="The labels, .npz.")] = Path("labels.npz"),
    yawns: Annotated[
        Path | None, typer.Option(help="Archive of eyes with classes yawn and no_yawn.")
    ] = None,
) -> None:
    """Cut eyes and mouths out of faces and label them by MediaPipe's face mesh.

    Needs `pip install 'mediapipe<0.10.30'`, at best in an environment of its own.
    """
    from tqdm import tqdm

    from mien_train.data.fer2013 import load
    from mien_train.eyes.patches import PSEUDO, YAWN, read_faces
    from mien_train.eyes.pseudo import label, landmark_detector, mouth_patch

    if not detector.is_file():
        raise UserError(f"there is no {detector}; give YuNet's ONNX file with --detector.")
    landmarks = landmark_detector(detector)
    dataset = load(data)
    known = {"train": "train", "validation": "val"}
    chosen = np.flatnonzero(np.isin(dataset.splits, list(known)))
    with tqdm(total=len(chosen), desc="labeling", unit="face", disable=None, leave=False) as bar:
        found = label(dataset.images[chosen], landmarks, bar.update)
    columns: dict[str, list[object]] = {
        f"{part}_{name}": []
        for part in ("eyes", "mouth")
        for name in ("images", "state", "split", "source")
    }

    def add(part: str, image: object, state: float, split: str, source: str) -> None:
        for name, value in zip(
            ("images", "state", "split", "source"), (image, state, split, source), strict=True
        ):
            columns[f"{part}_{name}"].append(value)

    for split, labels in zip(dataset.splits[chosen], found, strict=True):
        for image, state in zip(labels.eyes, labels.opened, strict=True):
            add("eyes", image, state, known[split], PSEUDO)
        for image, state in zip(labels.mouths, labels.wide, strict=True):
            add("mouth", image, state, known[split], PSEUDO)
    for face, yawning, split in read_faces(yawns) if yawns else ():
        mouth = mouth_patch(face, landmarks)
        if mouth is not None:
            add("mouth", mouth, float(yawning), split, YAWN)
    buffer = io.BytesIO()
    arrays: dict[str, Any] = {name: np.array(values) for name, values in columns.items()}
    np.savez_compressed(buffer, **arrays)
    write_file(out, buffer.getvalue(), "--out")
    typer.echo(
        f"wrote {out}: {len(columns['eyes_state'])} eyes, {len(columns['mouth_state'])} mouths"
    )
