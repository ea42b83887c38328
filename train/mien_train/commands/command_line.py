"""The command line, for records and model cards, and the sentence that resumes it."""

from __future__ import annotations

import contextlib
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path

import typer


def command_line() -> str:
    """Return this command without --resume and --debug; other paths are cut to the file name."""
    words = [word for word in sys.argv[1:] if word not in ("--resume", "--debug")]
    words = [Path(word).name if word.startswith(("/", "..")) else word for word in words]
    return shlex.join(["mien-train", *words])


@contextlib.contextmanager
def resumable(command: str) -> Iterator[None]:
    """Turn Ctrl-C into exit code 130 and a sentence with the command that resumes the training."""
    try:
        yield
    except KeyboardInterrupt:
        print(
            f"mien-train: interrupted; resume after the last complete epoch with: {command} "
            "--resume",
            file=sys.stderr,
        )
        raise typer.Exit(130) from None
