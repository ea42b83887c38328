"""Reactions as an output of a run."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timezone
from typing import Any

from mien.pipeline.results import FrameResult
from mien.reactions.matcher import Trigger, Watch
from mien.reactions.rules import Rule
from mien.reactions.runner import Actor
from mien.sources.base import Change, Frame, Say


class ReactionsOutput:
    """Watches the frames for every rule, and acts in threads of their own."""

    def __init__(self, rules: Sequence[Rule], say: Say = print) -> None:
        self._rules = [(Watch(rule), Actor(rule, say)) for rule in rules]

    def write(self, frame: Frame, result: FrameResult) -> None:
        """Take a frame in."""
        for watch, actor in self._rules:
            for occasion in watch.look(result):
                actor.put(event(watch.rule, occasion, result))

    def changed(self, change: Change) -> None:
        """Begin anew where the camera was lost: no frame is not the same as no face."""
        for watch, _ in self._rules:
            watch.reset()

    def close(self) -> None:
        """Wait a little for what is under way."""
        for _, actor in self._rules:
            actor.close()


def event(rule: Rule, occasion: Trigger, result: FrameResult) -> dict[str, Any]:
    """Return what a command or URL is told; docs/reactions.md describes it."""
    face = occasion.face
    told: dict[str, Any] = {
        "rule": rule.text,
        "clock": datetime.now(timezone.utc).isoformat(timespec="milliseconds"),
        "frame": int(result.frame),
        "time": round(float(result.time), 3),
        "lasted": round(float(result.time - occasion.since), 3),
        "faces": len(result.faces),
        "face": None,
    }
    if face is not None:
        told["face"] = {
            "id": face.id,
            "box": [int(value) for value in face.box],
            "emotion": face.emotion,
            "confidence": round(float(face.confidence), 4),
            "probabilities": {k: round(float(p), 4) for k, p in face.probabilities.items()},
        }
    return told
