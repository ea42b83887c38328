"""Options of `mien run` from a file and from the environment, under those of the command line.

The command line goes before the environment (MIEN_*), the environment before the file, the file
before the default. The file is TOML; its keys are the options' names without dashes in front, and
`source`. What is wrong in it is named with its line.
"""

from __future__ import annotations

import difflib
import functools
import inspect
import os
import re
import typing
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from mien.config.files import Setting, read_file
from mien.config.parameters import PREFIX, Parameter, converted, misfit, parameters
from mien.errors import UserError
from mien.log import warn_user

CONFIG = Path("/etc/mien.toml")
NONE = "none"  # --config none reads no file
# Variables that are not options.
OTHER_VARIABLES = ("MIEN_CONFIG", "MIEN_DEBUG", "MIEN_MQTT_PASSWORD", "MIEN_TEST_")

__all__ = [
    "CONFIG",
    "NONE",
    "PREFIX",
    "Parameter",
    "Setting",
    "configured",
    "parameters",
    "read_environment",
    "read_file",
    "read_settings",
    "unknown_variables",
]


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
        values = [converted(word.strip(), parameter.kind) for word in words]
        value = values if parameter.many else values[0]
        wrong = misfit(value, parameter)
        if wrong:
            one = wrong if not parameter.many else "values one on a line"
            raise UserError(f"{place[0].upper()}{place[1:]} is {text!r}, and takes {one}.")
        settings[parameter.key] = Setting(parameter.key, value, place)
    return settings


def unknown_variables(environment: Mapping[str, str], known: Mapping[str, Parameter]) -> list[str]:
    """Return the names of MIEN_* variables that nothing reads."""
    options = {parameter.variable for parameter in known.values()}
    return [
        name
        for name in sorted(environment)
        if name.startswith(PREFIX) and name not in options and not name.startswith(OTHER_VARIABLES)
    ]


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
        for name in unknown_variables(os.environ, known):
            close = difflib.get_close_matches(name, [p.variable for p in known.values()], 1)
            advice = f"did you mean {close[0]}" if close else "`mien run --help` lists the options"
            warn_user(f"The environment variable {name} is not used; {advice}.")
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


def _unreadable(file: Path) -> bool:
    return file.exists() and not os.access(file, os.R_OK)
