"""`mien-convert robustness`: accuracy under blur, noise, darkness, small size and bad crops.

mien-convert robustness mien fer2013.zip --votes fer2013new.csv
"""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer
from mien.classification.classifier import Classifier
from mien.console import table
from mien.tflite.model_file import load_model
from mien_train.commands.arguments import DataArgument, VotesOption
from tqdm import tqdm

from mien_convert.commands.arguments import ModelArgument, chosen_faces
from mien_convert.evaluation.robustness import conditions, measure, text


def robustness(
    model: ModelArgument,
    data: DataArgument,
    votes: VotesOption = None,
    split: Annotated[str, typer.Option(help="Split: validation, test or train.")] = "validation",
    limit: Annotated[int, typer.Option(metavar="N", min=1, help="Largest number of faces.")] = 3589,
    seed: Annotated[int, typer.Option(help="Seed of the draw and of noise.")] = 7,
    as_json: Annotated[bool, typer.Option("--json", help="Print the JSON document.")] = False,
) -> None:
    """Measure the accuracy on faces that are blurred, noisy, dark, compressed, small or rotated.

    Also on crops that are shifted and scaled, as a detector's boxes are. Beyond the picture its
    border is repeated, so the loss there is an upper bound.
    """
    loaded = load_model(model)
    classifier = Classifier(loaded)
    faces, truths = chosen_faces(data, votes, split, limit, seed)
    bar = tqdm(conditions(), desc="conditions", disable=None, leave=False)
    rows = [measure(faces, truths, classifier, condition, seed) for condition in bar]
    document: dict[str, Any] = {
        "model": {"name": loaded.metadata.name, "sha256": loaded.metadata.sha256},
        "split": split,
        "faces": len(faces),
        "truths": {name: int((truth >= 0).sum()) for name, truth in truths.items()},
        "seed": seed,
        "conditions": rows,
    }
    if as_json:
        print(json.dumps(document, indent=1))
        return
    print(f"{loaded.metadata.name}: {len(faces)} faces ({split})\n")
    print(table(text(rows, list(truths)), right=(1, 2, 3, 4)))
