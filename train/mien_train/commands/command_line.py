"""The command line, for records and model cards."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path


def command_line() -> str:
    """The current command without --resume; paths outside the folder are cut to the file name."""
    words = [word for word in sys.argv[1:] if word != "--resume"]
    words = [Path(word).name if word.startswith(("/", "..")) else word for word in words]
    return shlex.join(["mien-train", *words])
