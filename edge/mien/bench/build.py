"""Builds what `mien run` runs, with its defaults."""

from __future__ import annotations

from mien.pipeline.video import VideoPipeline
from mien.tflite.model_file import Model


def build(model: Model, threads: int = 1) -> VideoPipeline:
    """Return a new engine that has seen no frame yet."""
    return VideoPipeline(model, threads)
