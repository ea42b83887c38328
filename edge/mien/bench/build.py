"""Builds what `mien run` runs, with its defaults."""

from __future__ import annotations

from mien.pipeline.video import Engine
from mien.tflite.model_file import Model


def build(model: Model, threads: int = 1) -> Engine:
    """Return a new engine that has seen no frame yet."""
    return Engine(model, threads)
