"""Expression classes by the names that data sets give them: words, FER-2013's numbers, usages."""

from __future__ import annotations

from collections.abc import Sequence

# fer2013.csv counts its column `emotion` in this order.
FER2013_ORDER = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
SYNONYMS = {
    "anger": "angry",
    "disgusted": "disgust",
    "fearful": "fear",
    "happiness": "happy",
    "sadness": "sad",
    "surprised": "surprise",
}
# The column Usage, without capitals, and the beginnings of the archive's file names.
USAGES = {"training": "Training", "publictest": "PublicTest", "privatetest": "PrivateTest"}


def class_index(name: str, labels: Sequence[str]) -> int | None:
    """Return the index in `labels` of a class folder or csv label, None where it is none of them.

    Taken are the label, its synonyms ("happiness"), and FER-2013's number ("3", "3.0") where
    `labels` are its seven classes; capitals and blanks around do not matter.
    """
    word = name.strip().casefold()
    known = {_canonical(label.casefold()): index for index, label in enumerate(labels)}
    number = word.removesuffix(".0")
    if len(number) == 1 and number in "0123456" and known.keys() == set(FER2013_ORDER):
        return known[FER2013_ORDER[int(number)]]
    return known.get(_canonical(word))


def usage_name(text: str) -> str | None:
    """Return "Training", "PublicTest" or "PrivateTest" of a csv's usage; None of another word."""
    return USAGES.get(text.strip().casefold().replace("_", "").replace(" ", ""))


def _canonical(word: str) -> str:
    return SYNONYMS.get(word, word)
