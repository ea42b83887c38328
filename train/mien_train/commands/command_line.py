"""The command line, for records and model cards."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path


def command_line() -> str:
    """Return this command without --resume and --debug; other paths are cut to the file name."""
    words = [word for word in sys.argv[1:] if word not in ("--resume", "--debug")]
    words = [Path(word).name if word.startswith(("/", "..")) else word for word in words]
    return shlex.join(["mien-train", *words])
