"""Faces of FER-2013's csv: fer2013.csv of the archive, icml_face_data.csv of the competition.

The columns are emotion, pixels and Usage, in any order and with blanks or capitals. The emotion is
a number ("3", "3.0") or a word.
"""

from __future__ import annotations

import csv
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np
import numpy.typing as npt

from mien.errors import UserError
from mien.evaluation.classes import class_index, usage_name

COLUMNS = ("emotion", "pixels", "usage")
MAX_LINE_BYTES = 1 << 17  # 48 x 48 numbers take 9,000
MAX_SKIPPED_BYTES = 1 << 24  # of one line that is too long
MAX_ROWS = 200_000  # FER-2013 has 35,887
MAX_BYTES = 1 << 29  # of the text; FER-2013 takes 300 MB
MAX_SIDE = 512  # px of a face


@dataclass(frozen=True)
class Row:
    """One face, or a row that makes no sense."""

    number: int  # from 0, without the head
    label: int | None  # index of the class; None where the row makes no sense
    usage: str  # "Training", "PublicTest" or "PrivateTest"; "" where it makes none
    gray: npt.NDArray[np.uint8] | None  # [side, side]
    problem: str = ""


def has_columns(file: IO[bytes]) -> bool:
    """Return whether a csv has the three columns; reads its first line."""
    return set(COLUMNS).issubset(_head(next(csv.reader(_lines(file)), [])))


def read_rows(file: IO[bytes], name: str | Path, labels: Sequence[str]) -> Iterator[Row]:
    """Yield the rows of a csv; `name` is what a message calls it.

    Raises UserError where it lacks a column or has no end.
    """
    reader = csv.reader(_lines(file))
    try:
        head = _head(next(reader, []))
    except csv.Error:
        head = []
    missing = [column for column in COLUMNS if column not in head]
    if missing:
        raise UserError(
            f"{name} has no column {' and no column '.join(missing)}; "
            "give fer2013.csv with the columns emotion, pixels, Usage."
        )
    emotion, pixels, usage = (head.index(column) for column in COLUMNS)
    number = 0
    while True:
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error:  # longer than the module allows, or with a zero byte
            cells = []
        if number >= MAX_ROWS:
            raise UserError(f"{name} has more than {MAX_ROWS} rows; give FER-2013's own csv.")
        yield _row(number, cells, emotion, pixels, usage, labels)
        number += 1


def _row(
    number: int, cells: list[str], emotion: int, pixels: int, usage: int, labels: Sequence[str]
) -> Row:
    if len(cells) <= max(emotion, pixels, usage):
        return Row(number, None, "", None, "lacks a column")
    label, split = class_index(cells[emotion], labels), usage_name(cells[usage])
    if label is None:
        return Row(number, None, "", None, "its emotion is neither a class nor 0 to 6")
    if split is None:
        words = "its Usage is not Training, PublicTest or PrivateTest"
        return Row(number, None, "", None, words)
    try:
        return Row(number, label, split, _gray(cells[pixels]))
    except ValueError as error:
        return Row(number, None, "", None, str(error))


def _gray(text: str) -> npt.NDArray[np.uint8]:
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # NumPy only warns of text that is not a number, for now
        try:
            # Five times as fast as int() of every number: 36,000 rows in seconds.
            values = np.fromstring(text, dtype=np.int64, sep=" ")
        except (DeprecationWarning, ValueError) as error:
            raise ValueError("its pixels are not numbers") from error
    if values.size and not 0 <= values.min() <= values.max() <= 255:
        raise ValueError("its pixels are not gray levels from 0 to 255")
    side = round(values.size**0.5)
    if not 0 < side <= MAX_SIDE or side * side != values.size:
        raise ValueError(f"its {values.size} pixels are not a square picture")
    return values.astype(np.uint8).reshape(side, side)


def _head(cells: list[str]) -> list[str]:
    return [cell.strip().casefold() for cell in cells]


def _lines(file: IO[bytes]) -> Iterator[str]:
    """Yield the lines; one that is too long becomes an empty row, and its rest is passed over."""
    total, first = 0, True
    while line := file.readline(MAX_LINE_BYTES):
        total += len(line)
        whole, skipped = line, 0
        while not whole.endswith(b"\n") and len(whole) == MAX_LINE_BYTES:
            whole = file.readline(MAX_LINE_BYTES)
            total += len(whole)
            line = b"\n"
            if total > MAX_BYTES or not whole:
                break
            skipped += len(whole)
            if skipped > MAX_SKIPPED_BYTES:
                raise UserError("The csv has a line of more than 16 MB; give FER-2013's own csv.")
        if total > MAX_BYTES:
            raise UserError("The csv has more than 500 MB of text; give FER-2013's own csv.")
        text = line.decode("utf-8", "replace")
        yield text.removeprefix("\ufeff") if first else text
        first = False
