"""Reading of JSON files that a command wrote earlier."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from mien.errors import UserError


def read_json(path: Path, missing: dict[str, Any] | None = None) -> dict[str, Any]:
    """Return the JSON object in a file, or `missing` where there is no file and it is given.

    Raises UserError where the file is missing, unreadable or holds something else.
    """
    try:
        found = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        if missing is not None:
            return missing
        raise UserError(f"There is no {path}; give the folder of a run of mien-train.") from None
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(f"{path} cannot be read as JSON: delete it or make it anew.") from error
    if not isinstance(found, dict):
        raise UserError(f"{path} is not a JSON object: delete it or make it anew.")
    return found
