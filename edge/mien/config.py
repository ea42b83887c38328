"""Options of `mien run` from a file and from the environment, under those of the command line.

The command line goes before the environment (MIEN_*), the environment before the file, the file
before the default. The file is TOML; its keys are the options' names without dashes in front, and
`source`. What is wrong in it is named with its line.
"""

from __future__ import annotations

import enum
import functools
import inspect
import math
import os
import re
import sys
import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from mien.console import printable
from mien.errors import UserError
from mien.log import warn_user

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

CONFIG = Path("/etc/mien.toml")
NONE = "none"  # --config none reads no file
PREFIX = "MIEN_"
TRUE = ("1", "true", "yes", "on")
MAX_FILE_BYTES = 1_000_000
MAX_NUMBER = 2**31 - 1
FALSE = ("0", "false", "no", "off")


@dataclass(frozen=True)
class Parameter:
    """One option of a command, or its argument."""

    key: str  # as it stands in the file: "max-frames"
    name: str  # of the function's parameter: "max_frames"
    kind: Any  # type; of a list of values, that of one
    many: bool  # takes a list
    low: float | None
    high: float | None

    @property
    def choices(self) -> tuple[Any, ...]:
        """The values of a Literal or an Enum; none where it takes others."""
        if typing.get_origin(self.kind) is typing.Literal:
            return typing.get_args(self.kind)
        if isinstance(self.kind, type) and issubclass(self.kind, enum.Enum):
            return tuple(member.value for member in self.kind)
        return ()

    @property
    def variable(self) -> str:
        """The environment variable's name."""
        return PREFIX + self.key.upper().replace("-", "_")


@dataclass(frozen=True)
class Setting:
    """A value that the command line did not give."""

    key: str
    value: Any
    place: str  # where it stands, for a message: "/etc/mien.toml, line 4"


def parameters(command: Callable[..., Any]) -> dict[str, Parameter]:
    """Return what a typer command takes, by the key in the file."""
    found = {}
    # Not get_type_hints: before Python 3.11 it wraps what has None for a default once more.
    for name, taken in inspect.signature(command, eval_str=True).parameters.items():
        hint, *extras = _arguments(taken.annotation, Annotated)
        info = next((extra for extra in extras if hasattr(extra, "param_decls")), None)
        # Of Annotated[..., Option("--json")] typer keeps the first name as the default.
        names = [getattr(info, "default", None), *(getattr(info, "param_decls", None) or ())]
        long = [str(word)[2:] for word in names if str(word).startswith("--")]
        key = long[0].partition("/")[0] if long else name.replace("_", "-")
        kinds = [kind for kind in _arguments(hint, typing.Union) if kind is not types.NoneType]
        kind = kinds[0] if len(kinds) == 1 else Any
        many = typing.get_origin(kind) is list
        if many:
            kind = typing.get_args(kind)[0]
        bounds = (getattr(info, "min", None), getattr(info, "max", None))
        found[key] = Parameter(key, name, kind, many, *bounds)
    return found


def read_file(path: Path, known: Mapping[str, Parameter]) -> dict[str, Setting]:
    """Return the settings of a file; raises UserError with the line that is wrong."""
    try:
        if path.exists() and path.stat().st_size > MAX_FILE_BYTES:
            raise UserError(f"{path} is larger than 1 MB; give a file of options.")
        text = path.read_text("utf-8")
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror}); check --config.") from None
    except UnicodeDecodeError:
        raise UserError(f"{path} is no text in UTF-8; save it as such.") from None
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
        wrong = _unfit(value, parameter)
        if wrong:
            raise UserError(f"{place}: {key} is {_toml(value)}, and takes {wrong}.")
        settings[parameter.key] = Setting(parameter.key, value, place)
    return settings


def read_environment(
    environment: Mapping[str, str], known: Mapping[str, Parameter]
) -> dict[str, Setting]:
    """Return the settings of MIEN_* variables; raises UserError for a value that does not fit."""
    settings = {}
    for parameter in known.values():
        text = environment.get(parameter.variable, "")
        if not text:
            continue
        place = f"the environment variable {parameter.variable}"
        words = [line for line in text.splitlines() if line.strip()] if parameter.many else [text]
        values = [_converted(word.strip(), parameter.kind) for word in words]
        value = values if parameter.many else values[0]
        wrong = _unfit(value, parameter)
        if wrong:
            one = wrong if not parameter.many else "values one on a line"
            raise UserError(f"{place[0].upper()}{place[1:]} is {text!r}, and takes {one}.")
        settings[parameter.key] = Setting(parameter.key, value, place)
    return settings


def read_settings(
    command: Callable[..., Any],
    config: str | None = None,
    environment: Mapping[str, str] | None = None,
) -> dict[str, Setting]:
    """Return what the environment and the file say, by key; the environment goes first.

    `config` is a file's name, "none", or None for /etc/mien.toml where there is one. Raises
    UserError.
    """
    known = parameters(command)
    settings: dict[str, Setting] = {}
    if config is None:
        # A person may not read what only the service has to; that is no reason to refuse.
        if CONFIG.exists() and not _unreadable(CONFIG):
            settings = read_file(CONFIG, known)
    elif config != NONE:
        settings = read_file(Path(config), known)
    settings.update(read_environment(os.environ if environment is None else environment, known))
    return settings


def configured(command: Callable[..., None]) -> Callable[..., None]:
    """Return a typer command that also takes its options from the file and the environment."""
    used: dict[str, Setting] = {}
    contexts: list[typer.Context] = []

    def load(context: typer.Context, value: str | None) -> str | None:
        if context.resilient_parsing:
            return value
        used.clear()
        used.update(read_settings(command, value))
        contexts[:] = [context]
        known = parameters(command)
        context.default_map = {known[key].name: setting.value for key, setting in used.items()}
        if value is None and any(str(CONFIG) in setting.place for setting in used.values()):
            warn_user(f"with the options of {CONFIG}")
        if value is None and _unreadable(CONFIG):
            warn_user(
                f"{CONFIG} cannot be read by this user, so its options are not used; run with "
                "sudo to use them, or with --config none to silence this."
            )
        return value

    def taken(key: str) -> bool:
        source = contexts[0].get_parameter_source(parameters(command)[key].name)
        return source is not None and source.name == "DEFAULT_MAP"

    @functools.wraps(command)
    def run(config: str | None = None, **options: Any) -> None:
        try:
            command(**options)
        except UserError as error:
            named = [
                f"{key} is set in {setting.place}"
                for key, setting in used.items()
                if re.search(rf"--{key}(?![\w-])", str(error)) and taken(key)
            ]
            if not named:
                raise
            sentence = str(error).removesuffix(".")
            raise UserError(f"{sentence} ({'; '.join(named)}).") from error

    signature = inspect.signature(command, eval_str=True)
    option = typer.Option(
        "--config",
        metavar="FILE",
        help=f"Take options from this TOML file instead of {CONFIG}; none reads no file.",
        envvar=PREFIX + "CONFIG",
        is_eager=True,
        callback=load,
    )
    config = inspect.Parameter(
        "config",
        inspect.Parameter.KEYWORD_ONLY,
        default=None,
        annotation=Annotated[typing.Optional[str], option],  # noqa: UP045
    )
    changed = signature.replace(parameters=[*signature.parameters.values(), config])
    run.__signature__ = changed  # type: ignore[attr-defined]
    run.__annotations__ = {name: p.annotation for name, p in changed.parameters.items()}
    return run


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


def _unreadable(file: Path) -> bool:
    return file.exists() and not os.access(file, os.R_OK)


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


def _arguments(hint: Any, origin: Any) -> tuple[Any, ...]:
    """Return the parts of Annotated[...] or of a union; the hint alone where it is neither."""
    found = typing.get_origin(hint)
    if found is origin or (origin is typing.Union and found is types.UnionType):
        return typing.get_args(hint)
    if origin is Annotated and hasattr(hint, "__metadata__"):
        return (hint.__origin__, *hint.__metadata__)
    return (hint,)


def _unfit(value: Any, parameter: Parameter) -> str | None:
    """Return what a parameter takes, where the value is something else."""
    if parameter.many:
        words = _words(parameter)
        fits = isinstance(value, list) and all(_fits(one, parameter) for one in value)
        return None if fits else f"a list of values, each {words}, in [ ]"
    return None if _fits(value, parameter) else _words(parameter)


def _fits(value: Any, parameter: Parameter) -> bool:
    kind = parameter.kind
    if parameter.choices:
        return value in parameter.choices
    if kind is bool or isinstance(value, bool):
        return isinstance(value, bool) and kind in (bool, Any)
    if kind in (int, float):
        if not isinstance(value, int if kind is int else (int, float)):
            return False
        low, high = parameter.low, parameter.high
        # TOML knows numbers of any length, infinity (a focus may be so far) and NaN.
        if not abs(value) <= MAX_NUMBER and not (kind is float and value == math.inf):
            return False
        return (low is None or value >= low) and (high is None or value <= high)
    return kind is Any or isinstance(value, str)


def _words(parameter: Parameter) -> str:
    if parameter.choices:
        return "one of " + ", ".join(f'"{choice}"' for choice in parameter.choices)
    if parameter.kind is bool:
        return "true or false"
    if parameter.kind not in (int, float):
        return "a text in quotes"
    words = "a whole number" if parameter.kind is int else "a number"
    if parameter.low is not None:
        words += f" from {parameter.low:g}"
    if parameter.high is not None:
        words += f" up to {parameter.high:g}"
    elif parameter.kind is int:
        words += f" up to {MAX_NUMBER}"
    return words


def _converted(word: str, kind: Any) -> Any:
    """Return an environment variable's text as its type; the text itself where it is none."""
    if kind is bool:
        lower = word.lower()
        return True if lower in TRUE else False if lower in FALSE else word
    if kind in (int, float):
        try:
            return kind(word)
        except ValueError:
            return None
    return word


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    words = f'"{value}"' if isinstance(value, str) else "a table" if value == {} else str(value)
    words = printable(words)
    return words if len(words) <= 80 else f"{words[:77]}..."


def _nearest(key: str, known: Mapping[str, Parameter]) -> str:
    import difflib

    close = difflib.get_close_matches(key.replace("_", "-"), known, 1)
    return f"did you mean {close[0]}" if close else "`mien run --help` lists them all"
