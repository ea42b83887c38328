"""The command that was typed, as it may be told to others."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path


def typed() -> str:
    """This command without --resume; of paths elsewhere only the file's name."""
    words = [word for word in sys.argv[1:] if word != "--resume"]
    words = [Path(word).name if word.startswith(("/", "..")) else word for word in words]
    return shlex.join(["mien-train", *words])
