"""Colors of labels (page, report) and of people (page, pictures)."""

from __future__ import annotations

from collections.abc import Sequence

from mien.classification.prediction import UNCERTAIN

# Told apart on white and on near-black, also by most people who see few colours; by what the word
# suggests where a model uses the usual seven, and in turn where it has others.
_USUAL = {
    "angry": "#d7402f",
    "disgust": "#7a9a1f",
    "fear": "#8a5cd0",
    "happy": "#f0a818",
    "neutral": "#8893a0",
    "sad": "#3b7dd8",
    "surprise": "#17a398",
    "contempt": "#a5643c",
}
_OTHERS = ("#c2569b", "#a5643c", "#4f6d3a", "#5aa9e6", "#b08d57", "#6b4f9e")
GRAY = "#b9bfc6"  # of "uncertain"


# Bright enough for black letters on them, and told apart from their neighbours.
PERSON_COLORS = (
    *("#ffd23c", "#5ac8fa", "#ff8a65", "#9ccc65"),
    *("#ce93d8", "#4dd0c4", "#f48fb1", "#c8b273"),
)


def person_color(number: int | None) -> str:
    """Return "#rrggbb" of a person by the track id; the first color where nobody is tracked."""
    return PERSON_COLORS[((number or 1) - 1) % len(PERSON_COLORS)]


def colors(labels: Sequence[str]) -> dict[str, str]:
    """Return "#rrggbb" for every label and for "uncertain"."""
    rest = [label for label in labels if label not in _USUAL]
    chosen = {
        label: _USUAL.get(label) or _OTHERS[rest.index(label) % len(_OTHERS)] for label in labels
    }
    return {**chosen, UNCERTAIN: GRAY}
