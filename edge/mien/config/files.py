"""Settings of a TOML file, each with its line."""

from __future__ import annotations

import difflib
import re
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mien.config.parameters import Parameter, misfit
from mien.console import printable
from mien.errors import UserError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

MAX_FILE_BYTES = 1_000_000


@dataclass(frozen=True)
class Setting:
    """A value that the command line did not give."""

    key: str
    value: Any
    place: str  # where it stands, for a message: "/etc/mien.toml, line 4"


def read_file(path: Path, known: Mapping[str, Parameter]) -> dict[str, Setting]:
    """Return the settings of a file; raises UserError with the line that is wrong."""
    try:
        if path.exists() and path.stat().st_size > MAX_FILE_BYTES:
            raise UserError(f"{path} is larger than 1 MB; give a file of options.")
        text = path.read_text("utf-8")
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror}); check --config.") from None
    except UnicodeDecodeError:
        raise UserError(f"{path} is not text in UTF-8; save it as UTF-8.") from None
    try:
        entries = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        line = re.search(r"line (\d+)", str(error))
        where = f", line {line[1]}" if line else ", at its end"
        what = str(error).partition(" (at ")[0]
        raise UserError(
            f'{path}{where}: {what}; write a line as in `size = "640x480"` or `threads = 2`.'
        ) from None
    except (ValueError, RecursionError) as error:  # a number or nesting that Python refuses
        what = (
            "nested too deeply"
            if isinstance(error, RecursionError)
            else "a number with too many digits"
        )
        raise UserError(
            f"{path}, line {_line_refused(text)}: {what}; write a line as in `threads = 2`."
        ) from None
    settings = {}
    for key, value in entries.items():
        place = f"{path}, line {line_of(text, key)}"
        parameter = known.get(key.replace("_", "-"))
        if parameter is None:
            raise UserError(f"{place}: there is no option {key}; {_nearest(key, known)}.")
        wrong = misfit(value, parameter)
        if wrong:
            raise UserError(f"{place}: {key} is {_toml(value)}, and takes {wrong}.")
        settings[parameter.key] = Setting(parameter.key, value, place)
    return settings


def line_of(text: str, key: str) -> int:
    """Return the number of the line on which a top-level key or table of valid TOML begins."""
    name = rf"(\"{re.escape(key)}\"|'{re.escape(key)}'|{re.escape(key)})"
    start = re.compile(rf"\s*(\[\[?\s*{name}\s*[.\]]|{name}\s*[=.])")
    lines = text.splitlines(keepends=True)
    for index, line in enumerate(lines):
        if start.match(line):
            try:  # inside a text of several lines what stands before is not whole
                tomllib.loads("".join(lines[:index]))
            except tomllib.TOMLDecodeError:
                continue
            return index + 1
    return 1


def _line_refused(text: str) -> int:
    """Return the number of the first line that TOML allows and Python refuses."""
    lines = text.splitlines(keepends=True)
    for index in range(len(lines)):
        try:
            tomllib.loads("".join(lines[: index + 1]))
        except tomllib.TOMLDecodeError:
            continue
        except (ValueError, RecursionError):
            return index + 1
    return max(1, len(lines))


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    words = f'"{value}"' if isinstance(value, str) else "a table" if value == {} else str(value)
    words = printable(words)
    return words if len(words) <= 80 else f"{words[:77]}..."


def _nearest(key: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(key.replace("_", "-"), known, 1)
    return f"did you mean {close[0]}" if close else "`mien run --help` lists them all"
