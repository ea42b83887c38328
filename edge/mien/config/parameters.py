"""Parameters of a typer command, by introspection, and the values that fit them."""

from __future__ import annotations

import inspect
import math
import types
import typing
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

PREFIX = "MIEN_"  # of environment variables
TRUE = ("1", "true", "yes", "on")
FALSE = ("0", "false", "no", "off")
MAX_NUMBER = 2**31 - 1


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
    def variable(self) -> str:
        """The environment variable's name."""
        return PREFIX + self.key.upper().replace("-", "_")


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


def misfit(value: Any, parameter: Parameter) -> str | None:
    """Return what a parameter takes, where the value is something else."""
    if parameter.many:
        words = _words(parameter)
        fits = isinstance(value, list) and all(_fits(one, parameter) for one in value)
        return None if fits else f"a list of values, each {words}, in [ ]"
    return None if _fits(value, parameter) else _words(parameter)


def converted(word: str, kind: Any) -> Any:
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


def _arguments(hint: Any, origin: Any) -> tuple[Any, ...]:
    """Return the parts of Annotated[...] or of a union; the hint alone where it is neither."""
    found = typing.get_origin(hint)
    if found is origin or (origin is typing.Union and found is types.UnionType):
        return typing.get_args(hint)
    if origin is Annotated and hasattr(hint, "__metadata__"):
        return (hint.__origin__, *hint.__metadata__)
    return (hint,)


def _fits(value: Any, parameter: Parameter) -> bool:
    kind = parameter.kind
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
