"""Result type of a check: name, state, finding and remedy."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

STATES = ("ok", "warn", "fail", "skip")


@dataclass(frozen=True)
class Check:
    """Result of one check."""

    name: str
    state: str  # of STATES; "skip": there was nothing to look at here
    found: str
    remedy: str = ""  # what to do; empty where there is nothing to do


Group = Callable[[], Iterable[Check]]


def run(name: str, group: Group) -> list[Check]:
    """Return the checks of a group; an exception inside becomes a failed check."""
    done: list[Check] = []
    try:
        done.extend(group())
    except Exception as error:  # foreign libraries raise what they like
        why = f"the check broke off: {type(error).__name__}: {error}"
        done.append(Check(name, "fail", why, "please report this as a bug of mien"))
    return done


def joined(words: Iterable[str], nothing: str = "none") -> str:
    """Return words with commas between."""
    return ", ".join(words) or nothing
