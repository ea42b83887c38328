"""Rules: parses `sad>0.7 for 5s rest 60s: COMMAND or URL`; see docs/reactions.md."""

from __future__ import annotations

import os
import re
import shlex
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from mien.alertness.signals import EVENTS
from mien.classification.prediction import UNCERTAIN
from mien.errors import UserError
from mien.pipeline.results import Face, FrameResult

TIME_UNITS_S = {"ms": 0.001, "s": 1.0, "min": 60.0, "h": 3600.0}
DEFAULT_REST_S = 30.0  # s in which a rule that has acted does not act again
SIGNALS = ("eyes", "perclos", "blinks")  # of alertness, with a level
SIGNAL_HYSTERESIS = 0.1  # of a signal's level
LEVEL_HYSTERESIS = 0.1  # of a probability: how far it must come back before the condition is over
RULE_EXAMPLE = "as in --on 'sad>0.7 for 5s: aplay alarm.wav'"

_RULE_PATTERN = re.compile(
    r"(?:(?P<scope>any|each|all)\s+)?"
    r"(?:(?P<no>no\s+face)|(?P<face>face)|(?P<label>[A-Za-z_-]+)"
    r"(?:\s*(?P<sign>>=?|<=?)\s*(?P<level>[0-9]*\.?[0-9]+)(?P<percent>\s*%)?)?)"
    r"(?:\s+for\s+(?P<lasting>[0-9]*\.?[0-9]+\s*[a-z]*))?"
    r"(?:\s+rest\s+(?P<rest>[0-9]*\.?[0-9]+\s*[a-z]*))?"
)


@dataclass(frozen=True)
class Rule:
    """A condition and the action to take."""

    text: str  # the condition as it was written
    scope: str  # "any" face, "each" for itself, "all" of them
    # A label of the model, "uncertain", or a signal or event of alertness; None asks for faces as
    # such.
    label: str | None
    present: bool  # whether the face, or label, is to be there; False only of "no face"
    # The label's probability, or the signal, is above it, or below; None: it is the emotion, or
    # the event goes on.
    level: float | None
    above: bool
    duration_s: float  # s without interruption before it acts
    rest_s: float  # s before it may act again
    command: tuple[str, ...] | None  # the program and its arguments
    url: str | None  # or where to post

    def holds(self, face: Face, already: bool) -> bool:
        """Return whether one face meets the condition; `already` if it did just before.

        What has begun ends only a little beyond the level, so that a value that trembles there
        does not begin again and again (hysteresis).
        """
        if self.label is None:
            return True
        if self.level is None:
            if self.label in EVENTS:
                return face.alertness is not None and self.label in face.alertness.active
            return face.emotion == self.label
        value = self.value(face)
        if value is None:
            return False
        slack = 0.0
        if already:
            in_signals = self.label in SIGNALS
            slack = SIGNAL_HYSTERESIS * self.level if in_signals else LEVEL_HYSTERESIS
        return value > self.level - slack if self.above else value < self.level + slack

    def value(self, face: Face) -> float | None:
        """Return what is compared with the level; None where it cannot be told."""
        if self.label not in SIGNALS:
            return face.probabilities.get(self.label or "", 0.0)
        told = face.alertness
        if told is None:
            return None
        if self.label == "eyes":
            if told.left_eye is None or told.right_eye is None:
                return None
            return (told.left_eye + told.right_eye) / 2
        return told.perclos if self.label == "perclos" else told.blinks

    def holds_of(self, result: FrameResult, already: bool) -> bool:
        """Return whether a frame as a whole meets the condition."""
        if not self.present:
            return not result.faces
        held = [self.holds(face, already) for face in result.faces]
        return bool(held) and (all(held) if self.scope == "all" else any(held))


def parse_rule(text: str, labels: Sequence[str], alertness: bool = False) -> Rule:
    """Return the rule in a text; `labels` are the model's. Raises UserError.

    `alertness` allows its signals and events.
    """
    condition, colon, target = text.partition(":")
    condition, target = condition.strip(), target.strip()
    if not colon or not target:
        raise UserError(
            f"--on '{_short(text)}' has no action after the condition; write a condition, a colon "
            f"and a command or URL, {RULE_EXAMPLE}."
        )
    match = _RULE_PATTERN.fullmatch(condition)
    if match is None:
        raise UserError(
            f"--on '{_short(condition)}' is not a condition; write what is seen, how long it lasts "
            f"and what to do, {RULE_EXAMPLE}."
        )
    label = match["label"]
    alert = (*EVENTS, *SIGNALS)
    if label in alert and not alertness:
        raise UserError(f"--on '{condition}' needs the eyes read; give --alertness too.")
    if label is not None and label not in (*labels, UNCERTAIN, *alert):
        more = alert if alertness else ()
        known = ", ".join((*labels, UNCERTAIN, "face", "no face", *more))
        raise UserError(f"Unknown label '{label}' in --on; this model has {known}.")
    level = None
    if match["level"] is not None:
        level = float(match["level"]) / (100 if match["percent"] else 1)
        if label == UNCERTAIN:
            raise UserError(
                f"--on '{condition}': uncertain has no probability; leave the level out."
            )
        if label in EVENTS and label not in SIGNALS:
            raise UserError(f"--on '{condition}': {label} has no level; leave it out.")
        if not 0 < level < 1 and label != "blinks":
            raise UserError(f"--on '{condition}': a probability lies between 0 and 1, as 0.7.")
    elif label in SIGNALS and label not in EVENTS:
        raise UserError(f"--on '{condition}': {label} needs a level, as in {label}<0.2.")
    if match["no"] and match["scope"]:
        raise UserError(f"--on '{condition}': no face cannot be combined with {match['scope']}.")
    command, url = _target(target)
    return Rule(
        condition,
        match["scope"] or "any",
        label,
        match["no"] is None,
        level,
        not (match["sign"] or ">").startswith("<"),
        _seconds(match["lasting"], condition, 0.0),
        _seconds(match["rest"], condition, DEFAULT_REST_S),
        command,
        url,
    )


def _seconds(text: str | None, condition: str, default: float) -> float:
    if text is None:
        return default
    match = re.fullmatch(r"([0-9.]+)\s*([a-z]*)", text.strip())
    if match is None or (match[2] or "s") not in TIME_UNITS_S:
        raise UserError(
            f"--on '{condition}': {text.strip()} is not a duration; write 500ms, 5s, 2min or 1h."
        )
    return float(match[1]) * TIME_UNITS_S[match[2] or "s"]


def _target(target: str) -> tuple[tuple[str, ...] | None, str | None]:
    """Return the command or the URL; it is looked for now, not when it is needed."""
    if re.match(r"https?://", target, re.IGNORECASE):
        try:
            host = urlsplit(target).hostname
        except ValueError:
            host = None
        if not host or re.search(r"\s", target):
            raise UserError("--on has a URL without a host or with a space; write it anew.")
        return None, target
    try:
        words = tuple(shlex.split(target))
    except ValueError:
        raise UserError(f"--on '{_short(target)}': a quotation mark is not closed.") from None
    if not words:
        raise UserError(f"--on has an empty command; write one, {RULE_EXAMPLE}.")
    if shutil.which(words[0]) is None:
        there = os.path.exists(words[0])  # noqa: PTH110
        why = "is not executable" if there else "is not a program on this machine"
        raise UserError(
            f"--on: {_short(words[0])} {why}; give a program's name or path (no shell reads it)."
        )
    return words, None


def _short(text: str) -> str:
    return text if len(text) <= 100 else f"{text[:97]}..."
