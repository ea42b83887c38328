"""Aligned columns for a terminal."""

from __future__ import annotations

from collections.abc import Iterable


def table(rows: Iterable[Iterable[str]], right: Iterable[int] = ()) -> str:
    """Return rows of words as aligned lines; the columns in `right` end at the same place."""
    cells = [list(row) for row in rows]
    widths = [max(len(cell) for cell in column) for column in zip(*cells, strict=True)]
    ends = set(right)
    return "\n".join(
        "  ".join(
            cell.rjust(width) if index in ends else cell.ljust(width)
            for index, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in cells
    )
