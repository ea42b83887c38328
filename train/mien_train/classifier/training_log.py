"""Stages of a training, its log and what it prints."""

from __future__ import annotations

import csv
import io
import sys
from dataclasses import dataclass
from typing import Any

from tqdm import tqdm

from mien_train.classifier.recipe import Recipe

LOG_COLUMNS = (
    "epoch",
    "stage",
    "loss",
    "accuracy",
    "val_loss",
    "val_accuracy",
    "val_balanced_accuracy",
    "val_macro_f1",
    "learning_rate",
    "seconds",
)


@dataclass(frozen=True)
class Stage:
    """One of the stages: head, small, all."""

    name: str
    size: int  # pixels, side of the faces
    epochs: int
    rate: float
    warmup: float  # epochs
    final_rate: float  # at the end of the decay, as a share of the peak
    ema: float  # momentum of the weight average; 0: none


def stages_of(recipe: Recipe) -> list[Stage]:
    """Return the stages of a recipe in their order."""
    return [
        Stage("head", recipe.size, recipe.head_epochs, recipe.head_rate, 0.0, 0.01, 0.0),
        Stage("small", recipe.small_size, recipe.small_epochs, recipe.rate, recipe.warmup, 0.5, 0),
        Stage("all", recipe.size, recipe.epochs, recipe.rate, recipe.warmup, 0.01, recipe.ema),
    ]


def report(sentence: str) -> None:
    """Print on stderr, above the progress bar."""
    tqdm.write(sentence, file=sys.stderr)


def progress_text(state: dict[str, Any], stages: list[Stage]) -> str:
    """How far a run got, as a clause."""
    epochs = next(stage.epochs for stage in stages if stage.name == state["stage"])
    found = f"stage {state['stage']}, epoch {state['epoch']} of {epochs} done"
    if state["best"] is not None:
        found += f", best validation accuracy {state['best']['accuracy']:.1%}"
    finished = state["stage"] == stages[-1].name and state["epoch"] >= epochs
    return f"{found}; finished, --epochs extends it" if finished else found


def epoch_text(row: dict[str, Any], stage: Stage) -> str:
    """A line of the log for the terminal."""
    found = (
        f"{stage.name} epoch {row['epoch']}/{stage.epochs}: loss {row['loss']:.3f}, "
        f"accuracy {row['accuracy']:.1%}"
    )
    if "val_loss" in row:
        found += (
            f"; validation loss {row['val_loss']:.3f}, accuracy {row['val_accuracy']:.1%}, "
            f"balanced {row['val_balanced_accuracy']:.1%}"
        )
    return f"{found}; {row['seconds']:.0f} s"


def log_text(history: list[dict[str, Any]]) -> str:
    """``history`` as CSV with the columns of LOG_COLUMNS; cells without validation are empty."""
    text = io.StringIO()
    writer = csv.DictWriter(text, LOG_COLUMNS, restval="", lineterminator="\n")
    writer.writeheader()
    for row in history:
        writer.writerow({k: f"{v:.6g}" if isinstance(v, float) else v for k, v in row.items()})
    return text.getvalue()
