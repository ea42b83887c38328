"""Builds the pipeline that `mien run` runs."""

from __future__ import annotations

from edge.classifier import Classifier
from edge.detect import HaarDetector
from edge.modelfile import Model
from edge.pipeline import Pipeline


def build(model: Model, threads: int = 1) -> Pipeline:
    """Return a new pipeline with the defaults of `mien run`."""
    return Pipeline(HaarDetector(), Classifier(model, threads), model.metadata)
