"""Writes docs/commands.md, the reference of all commands, from what their --help says.

    python scripts/write_reference.py

A test says when it is due.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from pathlib import Path

import typer
from typer.testing import CliRunner

FILE = Path(__file__).parent.parent / "docs" / "commands.md"
APPS = {"mien": "mien.cli", "mien-train": "mien_train.cli", "mien-convert": "mien_convert.cli"}
HEAD = """\
# Commands

What `--help` says of every command; `scripts/write_reference.py` writes this page. Options of
`mien run` may also stand in a file or in the environment: see [the service](service.md).
"""


def reference() -> str:
    """Return the page."""
    parts = [HEAD]
    for name, module in APPS.items():
        program = importlib.import_module(module)
        for words in paths(typer.main.get_command(program.app), ()):
            text = shown(program.app, name, words)
            parts.append(f"## {' '.join((name, *words))}\n\n```\n{text}\n```\n")
    return "\n".join(parts)


def paths(command: object, here: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """Yield the words of a command and of all commands under it."""
    yield here
    for name, below in getattr(command, "commands", {}).items():
        yield from paths(below, (*here, name))


def shown(app: typer.Typer, name: str, words: tuple[str, ...]) -> str:
    """Return what a command's --help prints on a terminal of 80 columns."""
    environment = {"COLUMNS": "80", "TERM": "dumb", "MIEN_CONFIG": ""}
    done = CliRunner().invoke(app, [*words, "--help"], prog_name=name, env=environment)
    if done.exit_code:
        raise SystemExit(f"{name} {' '.join(words)} --help: {done.output}")
    return "\n".join(line.rstrip() for line in done.stdout.strip("\n").splitlines())


if __name__ == "__main__":
    FILE.write_text(reference())
