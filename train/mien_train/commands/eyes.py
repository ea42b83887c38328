"""`mien-train eyes`: train the networks that read eyes and mouths.

mien-train eyes eyes.zip --labels labels.npz --run runs/eyes
mien-train eyes eyes.zip --labels labels.npz --run runs/mouth --part mouth
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated

import typer
from mien.atomic import sha256, write_file
from mien.errors import UserError

from mien_train.commands.command_line import command_line


def eyes(
    data: Annotated[Path, typer.Argument(help="Eye patches: a zip file or folder with index.csv.")],
    run: Annotated[Path, typer.Option(help="Folder for model.keras and run.json.")],
    labels: Annotated[
        Path | None, typer.Option(help="Pseudo-labels that mien-train eyes-label wrote.")
    ] = None,
    part: Annotated[str, typer.Option(help="'eyes' or 'mouth'; mouths need --labels.")] = "eyes",
    steps: Annotated[int | None, typer.Option(min=1, help="Batches of 128 patches.")] = None,
    seed: Annotated[int, typer.Option(help="Of weights, batches and augmentation.")] = 7,
) -> None:
    """Train a network on eyes or mouths and measure it on the held-out ones.

    It takes some four minutes of one CPU core.
    """
    from mien_train.backend import start_backend
    from mien_train.eyes.patches import read_part

    patches = read_part(part, data, labels)
    os.environ["KERAS_BACKEND"] = "tensorflow"
    start_backend()
    from tqdm import tqdm

    from mien_train.eyes import measure
    from mien_train.eyes.parts import PARTS, crops
    from mien_train.eyes.train import RECIPES, logits, train

    recipe = replace(RECIPES[part], seed=seed, steps=steps or RECIPES[part].steps)
    learnt, held = (patches.where(patches.split == name) for name in ("train", "val"))
    if not len(learnt) or not len(held):
        raise UserError(f"{data} needs patches of both splits, train and val, in its index.")
    with tqdm(total=recipe.steps, desc="training", unit="step", disable=None, leave=False) as bar:

        def done(loss: float) -> None:
            bar.update()
            if bar.n % 50 == 0:
                bar.set_postfix_str(f"loss {loss:.3f}")

        network = train(learnt, PARTS[part], recipe, done)
    read = measure.joint(logits(network, crops(held, PARTS[part])), part)
    rows = measure.measure(held, read, part)
    record = {
        "command": command_line(),
        "part": part,
        "recipe": asdict(recipe),
        "data": {path.name: sha256(path) for path in (data, labels) if path and path.is_file()},
        "patches": len(learnt),
        "validation": [asdict(row) for row in rows],
    }
    run.mkdir(parents=True, exist_ok=True)
    network.save(run / ".part-model.keras")
    (run / ".part-model.keras").replace(run / "model.keras")
    write_file(run / "run.json", (json.dumps(record, indent=1) + "\n").encode(), "--run")
    typer.echo(measure.to_text(rows))
    typer.echo(f"wrote {run / 'model.keras'} and {run / 'run.json'}")
