"""The seven expressions and their order, here and in FER+."""

from __future__ import annotations

from mien.evaluation.ferplus import COLUMNS

# The order of the network's outputs; it travels to the device inside the model file.
LABELS = ("angry", "disgust", "fear", "happy", "neutral", "sad", "surprise")

# FER+'s vote columns in its order, and its name of each of LABELS.
VOTE_COLUMNS = tuple(COLUMNS)
VOTE_OF_LABEL = tuple(
    next(column for column, name in COLUMNS.items() if name == label) for label in LABELS
)
