"""Reactions as an output of a run."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timezone
from typing import Any

from mien.pipeline.results import FrameResult
from mien.reactions.matcher import RuleMatcher, Trigger
from mien.reactions.rules import Rule
from mien.reactions.runner import ActionRunner
from mien.sources.base import Change, Frame, Say


class ReactionsOutput:
    """Watches the frames for every rule, and acts in threads of their own."""

    def __init__(self, rules: Sequence[Rule], say: Say = print) -> None:
        self._rules = [(RuleMatcher(rule), ActionRunner(rule, say)) for rule in rules]

    def write(self, frame: Frame, result: FrameResult) -> None:
        """Take a frame in."""
        for matcher, runner in self._rules:
            for trigger in matcher.update(result):
                runner.put(event(matcher.rule, trigger, result))

    def changed(self, change: Change) -> None:
        """Begin anew where the camera was lost: no frame is not the same as no face."""
        for matcher, _ in self._rules:
            matcher.reset()

    def close(self) -> None:
        """Wait a little for what is under way."""
        for _, runner in self._rules:
            runner.close()


def event(rule: Rule, trigger: Trigger, result: FrameResult) -> dict[str, Any]:
    """Return what a command or URL is told; docs/reactions.md describes it."""
    face = trigger.face
    content: dict[str, Any] = {
        "rule": rule.text,
        "clock": datetime.now(timezone.utc).isoformat(timespec="milliseconds"),
        "frame": int(result.frame),
        "time": round(float(result.time), 3),
        "lasted": round(float(result.time - trigger.since), 3),
        "faces": len(result.faces),
        "face": None,
    }
    if face is not None:
        content["face"] = face.to_json()
    return content
