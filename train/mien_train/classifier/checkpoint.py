"""Checkpoints of a run: complete at any moment, even if the process is killed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import keras
from mien.atomic import TEMP_PREFIX, replacing, write_file

from mien_train.json_file import read_json

STATE = "state.json"
WEIGHTS = "state-*.weights.h5"


def save(run: Path, trainer: keras.Model, state: dict[str, Any]) -> None:
    """Save the weights of trainer and optimizer, and ``state``.

    The weights go into a file of their own name; ``state.json`` names it, and its renaming is the
    moment at which the new state counts. Only then are older weights deleted.
    """
    name = f"state-{state['stage']}-{state['epoch']:04d}.weights.h5"
    with replacing(run / name, "--run") as part:
        trainer.save_weights(part, overwrite=True)
    write_file(run / STATE, json.dumps({**state, "weights": name}, indent=1).encode(), "--run")
    for pattern in (WEIGHTS, f"{TEMP_PREFIX}*"):  # a killed process leaves the latter
        for old in run.glob(pattern):
            if old.name != name:
                old.unlink()


def read(run: Path) -> dict[str, Any] | None:
    """The state of an interrupted or finished run, or None where there is none."""
    file = run / STATE
    return read_json(file) if file.is_file() else None
