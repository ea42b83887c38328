"""`mien report`: an HTML page or a CSV table of a recorded session."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from mien.atomic import check_target, write_file
from mien.console import printable, progress
from mien.errors import UserError
from mien.report.aggregate import Session, collect
from mien.report.html import html
from mien.report.reader import Broken, read_lines
from mien.report.view import rows, view_of


class Format(str, Enum):
    """A kind of report."""

    html = "html"
    csv = "csv"


def report(
    session: Annotated[
        Path, typer.Argument(metavar="SESSION.jsonl", help="Recording of `mien run --jsonl`.")
    ],
    format: Annotated[
        list[Format] | None,
        typer.Option(metavar="html|csv", help="Format to write; repeatable (default: html)."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Output folder (default: beside the session)."),
    ] = None,
) -> None:
    """Write a report of a recorded session: emotions over time and per face, changes, totals.

    SESSION.report.html is one self-contained page. --format csv writes a table with one row per
    interval and face.
    """
    folder = session.parent if out is None else out
    formats = list(dict.fromkeys(format or [Format.html]))
    targets = {kind: folder / f"{session.stem}.report.{kind.value}" for kind in formats}
    for target in targets.values():
        check_target(target)
    broken = Broken()
    gathered = collect(read_lines(session, broken, _watch))
    if not gathered.frames:
        raise UserError(f"{session} holds no frame; record one with `mien run --jsonl`.")
    for kind, target in targets.items():
        write_file(target, _content(kind, gathered, printable(session.name), broken.count))
        print(target)


def _watch(blocks: Iterable[bytes], total: int) -> Iterable[bytes]:
    return progress(blocks, total, "MB")


def _content(kind: Format, session: Session, title: str, broken: int) -> bytes:
    if kind is Format.csv:
        table = io.StringIO()
        csv.writer(table, lineterminator="\n").writerows(rows(session))
        return table.getvalue().encode()
    return html(view_of(session, title, broken)).encode()
