"""`mien model`: installs a model in the place of the bundled one, and rolls back."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from mien.boxes import face_to_square
from mien.classification.classifier import Classifier
from mien.commands.options import JsonOption
from mien.commands.run import run
from mien.config import read_settings
from mien.console import printable, table
from mien.detection import open_detector
from mien.detection.tiles import detect_still
from mien.errors import UserError
from mien.image import load_image
from mien.pipeline.still import tta_logits
from mien.systemd import installer
from mien.systemd.unit import UNIT_NAME
from mien.tflite import model_store
from mien.tflite.minisign import PublicKey, signature_path, verify
from mien.tflite.model_file import (
    DEFAULT_MODEL,
    MODELS,
    Model,
    find_model,
    load_model,
    parse_model,
    read_file,
)

SHIPPED = MODELS / f"{DEFAULT_MODEL}.tflite"
PORTRAITS = MODELS.parent / "demo" / "portraits"
RESTART = f"sudo systemctl restart {UNIT_NAME.removesuffix('.service')}"

FolderOption = Annotated[
    Path | None,
    typer.Option(
        "--folder",
        metavar="FOLDER",
        help="Folder of the installed model; by default the service's for root, else your own.",
    ),
]
RestartOption = Annotated[
    bool, typer.Option("--restart", help="Restart the service, which then uses the model.")
]

app = typer.Typer(
    help="Replace the bundled model by another, and go back to the one before.",
    rich_markup_mode="markdown",
    no_args_is_help=True,
)


@app.command("list")
def list_models(folder: FolderOption = None, as_json: JsonOption = False) -> None:
    """Show the bundled model, the installed one and the one before; * marks the one in use."""
    folder = folder or model_store.model_folder()
    state = model_store.read_state(folder) or model_store.StoreState(None, None)
    key = _configured_key()
    rows = [_row("bundled", SHIPPED, state.installed is None, None)]
    for place, name in (("installed", state.installed), ("previous", state.previous)):
        if name is not None:
            rows.append(_row(place, folder / name, place == "installed", key))
    if as_json:
        print(json.dumps(rows, indent=1))
        return
    titles = [title for title in rows[0] if title != "file"]
    print(table([titles, *([printable(row[title]) for title in titles] for row in rows)]))


@app.command("install")
def install(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A .tflite file from mien-convert.")],
    folder: FolderOption = None,
    restart: RestartOption = False,
) -> None:
    """Install a model: `--model mien`, the default, then means this one.

    The file is checked, run once in a child process, and tried on the faces of the demo. With
    model-key in /etc/mien.toml, or MIEN_MODEL_KEY, it needs a signature of minisign beside it,
    FILE.minisig. The model before is kept for `mien model rollback`.
    """
    if not file.is_file():
        raise UserError(f"There is no file {file}; give a .tflite file made by mien-convert.")
    data = read_file(file)
    model = parse_model(data, file, _configured_key())
    same, faces = compare(model, parse_model(read_file(SHIPPED), SHIPPED))
    print(f"reads {same} of the demo's {faces} faces as the bundled model does")
    folder = folder or model_store.model_folder()
    signature = signature_path(file)
    changed = model_store.install(
        folder, data, signature.read_bytes() if signature.is_file() else None
    )
    name = printable(f"{model.metadata.name} {model.metadata.version}")
    print(f"{'installed' if changed else 'already installed:'} {name} in {folder}")
    if changed:
        _restart(folder, restart)


@app.command("rollback")
def rollback(folder: FolderOption = None, restart: RestartOption = False) -> None:
    """Go back to the model before; a second time returns to the one after it."""
    folder = folder or model_store.model_folder()
    previous = model_store.previous_of(folder).previous
    model = load_model(SHIPPED if previous is None else folder / previous, _configured_key())
    model_store.rollback(folder)
    bundled = ", the bundled model" if previous is None else ""
    print(f"back to {printable(f'{model.metadata.name} {model.metadata.version}')}{bundled}")
    _restart(folder, restart)


def compare(model: Model, bundled: Model) -> tuple[int, int]:
    """Return on how many faces of the demo two models agree, and how many faces there are.

    Raises UserError for a model that cannot be run or that is no model of expressions.
    """
    labels, known = model.metadata.labels, bundled.metadata.labels
    if sorted(labels) != sorted(known):
        raise UserError(
            f"{model.path} has the labels {printable(', '.join(labels))} where Mien reads "
            f"{', '.join(known)}; name it with --model instead of installing it."
        )
    detector = open_detector()
    classifiers = [Classifier(model), Classifier(bundled)]
    names = []
    seen = []
    for picture in sorted(PORTRAITS.glob("*.jpg")):
        gray = load_image(picture).gray
        for found in detect_still(detector, gray):
            square = face_to_square(found.box)
            logits = [tta_logits(one, gray, square, one.metadata) for one in classifiers]
            seen.append(logits[0])
            names.append(
                [
                    one.metadata.labels[int(v.argmax())]
                    for one, v in zip(classifiers, logits, strict=True)
                ]
            )
    if not np.isfinite(seen).all() or (np.ptp(seen, axis=0) == 0).all():
        raise UserError(
            f"{model.path} reads every face alike; convert the model again with mien-convert."
        )
    return sum(new == old for new, old in names), len(names)


def _configured_key() -> PublicKey | None:
    """Return the key of MIEN_MODEL_KEY or /etc/mien.toml, for root also of the service."""
    environment = {**installer.service_environment(), **os.environ}
    setting = read_settings(run, None, environment).get("model-key")
    return PublicKey.from_text(setting.value) if setting else None


def _row(place: str, path: Path, used: bool, key: PublicKey | None) -> dict[str, str]:
    """Return what the list shows of a model."""
    row = {"": "*" if used else "", "model": place, "file": str(path)}
    row |= dict.fromkeys(("name", "version", "date", "SHA-256"), "?")
    try:
        data = read_file(find_model(path))
        metadata = parse_model(data, path).metadata
        row |= {"name": metadata.name, "version": metadata.version}
        row |= {"date": metadata.created[:10], "SHA-256": metadata.sha256[:16]}
        return row | {"signature": _signature(data, path, key)}
    except UserError as error:
        return row | {"signature": str(error)}


def _signature(data: bytes, path: Path, key: PublicKey | None) -> str:
    """Return the state of a model file's signature; raises UserError for one that is wrong."""
    if path == SHIPPED:
        return "bundled"
    if key is not None:
        verify(data, path, key)
        return "good"
    signed = signature_path(path).exists()
    return "not checked: no model-key is configured" if signed else "none"


def _restart(folder: Path, wanted: bool) -> None:
    """Restart the service where that is wanted, else say how, where it runs with this folder."""
    host = installer.Host()
    if wanted:
        host.run("systemctl", "restart", "--no-block", UNIT_NAME)
        print("the service restarts with it")
    elif folder == model_store.SYSTEM_FOLDER and (host.root / installer.UNIT_PATH).exists():
        print(f"the service uses it once restarted: {RESTART}")
    elif folder == model_store.model_folder():
        print("`mien run` uses it from its next start")
