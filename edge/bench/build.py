"""Builds what `mien run` runs, with its defaults."""

from __future__ import annotations

from edge.engine import Engine
from edge.modelfile import Model


def build(model: Model, threads: int = 1) -> Engine:
    """Return a new engine that has seen no frame yet."""
    return Engine(model, threads)
