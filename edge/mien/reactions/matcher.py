"""Rule matcher: evaluates one rule over time and triggers its action."""

from __future__ import annotations

from dataclasses import dataclass

from mien.pipeline.results import Face, FrameResult
from mien.reactions.rules import Rule

MAX_GAP_S = 0.5  # s for which a condition may be broken off: one frame misread is no change
FORGET_FACE_S = 10.0  # s after which a face that is away is forgotten
WHOLE_FRAME = 0  # the key of a rule that is not for each face by itself


@dataclass
class RuleState:
    """State of a rule for one face, or for the whole picture. Times are s of the source."""

    since: float | None = None  # when the condition began to hold
    broken_since: float | None = None  # when it was last seen not to, if it is broken off now
    seen: float = 0.0  # when the face was last there
    acted: bool = False  # in this stretch already
    rests_until: float = float("-inf")  # until when it rests


@dataclass(frozen=True)
class Trigger:
    """A moment at which a rule acts."""

    since: float  # s, when the condition began to hold
    face: Face | None  # the one it is about; None where there is none


class RuleMatcher:
    """Evaluates one rule frame by frame."""

    def __init__(self, rule: Rule) -> None:
        self.rule = rule
        self._states: dict[int, RuleState] = {}
        self._last = 0.0

    def update(self, result: FrameResult) -> list[Trigger]:
        """Take a frame in; return the occasions to act."""
        if result.time < self._last:  # the source has begun anew
            self._states = {}
        self._last = now = result.time
        if self.rule.scope != "each":
            state = self._states.setdefault(WHOLE_FRAME, RuleState())
            due = self._advance(state, self.rule.holds_of(result, state.since is not None), now)
            return [Trigger(state.since or 0.0, self._about(result))] if due else []
        faces = {-1 - i if f.id is None else f.id: f for i, f in enumerate(result.faces)}
        triggers = []
        for key in {*faces, *self._states}:
            state = self._states.setdefault(key, RuleState())
            face = faces.get(key)
            holds = face is not None and self.rule.holds(face, state.since is not None)
            if face is not None:
                state.seen = now
            if self._advance(state, holds, now):
                triggers.append(Trigger(state.since or 0.0, face))
        self._states = {
            key: state
            for key, state in self._states.items()
            if now - state.seen < FORGET_FACE_S or now < state.rests_until
        }
        return triggers

    def reset(self) -> None:
        """Forget the conditions that hold: the camera was lost in between."""
        for state in self._states.values():
            state.since, state.broken_since, state.acted = None, None, False

    def _advance(self, state: RuleState, holds: bool, now: float) -> bool:
        if not holds and state.broken_since is None:
            state.broken_since = now
        if state.broken_since is not None and now - state.broken_since > MAX_GAP_S:
            state.since, state.acted = None, False
        if not holds:
            return False
        state.broken_since = None
        if state.since is None:
            state.since = now
        if state.acted or now - state.since < self.rule.duration_s or now < state.rests_until:
            return False
        state.acted = True
        state.rests_until = now + self.rule.rest_s
        return True

    def _about(self, result: FrameResult) -> Face | None:
        """Return the face that fulfils the condition most clearly."""
        faces = [face for face in result.faces if self.rule.holds(face, True)]
        label = self.rule.label
        if label is None or not faces:
            return faces[0] if faces else None
        sign = 1 if self.rule.above else -1
        return max(faces, key=lambda face: sign * (self.rule.value(face) or 0.0))
