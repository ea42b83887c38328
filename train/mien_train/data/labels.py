"""The seven expressions and their order: here, in fer2013.csv and in FER+."""

from __future__ import annotations

# The order of the network's outputs; it travels to the device inside the model file.
LABELS = ("angry", "disgust", "fear", "happy", "neutral", "sad", "surprise")

# fer2013.csv counts its column `emotion` in this order.
CSV_LABELS = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")

# Microsoft's FER+ names its vote columns in this order.
VOTE_COLUMNS = (
    "neutral",
    "happiness",
    "surprise",
    "sadness",
    "anger",
    "disgust",
    "fear",
    "contempt",
    "unknown",
    "NF",
)

# FER+'s name of each of our labels, in the order of LABELS.
VOTE_OF_LABEL = ("anger", "disgust", "fear", "happiness", "neutral", "sadness", "surprise")
