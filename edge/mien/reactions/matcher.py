"""Follows one rule through the frames and says when it is time to act."""

from __future__ import annotations

from dataclasses import dataclass

from mien.pipeline.results import Face, FrameResult
from mien.reactions.rules import Rule

GAP_S = 0.5  # s for which a condition may be broken off: one frame misread is no change
GONE_S = 10.0  # s after which a face that is away is forgotten
WHOLE = 0  # the key of a rule that is not for each face by itself


@dataclass
class RuleState:
    """How far one face, or the picture as a whole, is with a rule. Times are s of the source."""

    since: float | None = None  # when the condition began to hold
    broken: float | None = None  # when it was last seen not to, if it is broken off now
    seen: float = 0.0  # when the face was last there
    acted: bool = False  # in this stretch already
    quiet: float = float("-inf")  # until when it rests


@dataclass(frozen=True)
class Trigger:
    """The moment at which a rule acts."""

    since: float  # s, when the condition began to hold
    face: Face | None  # the one it is about; None where there is none


class Watch:
    """One rule."""

    def __init__(self, rule: Rule) -> None:
        self.rule = rule
        self._courses: dict[int, RuleState] = {}
        self._last = 0.0

    def look(self, result: FrameResult) -> list[Trigger]:
        """Take a frame in; return the occasions to act."""
        if result.time < self._last:  # the source has begun anew
            self._courses = {}
        self._last = now = result.time
        if self.rule.scope != "each":
            course = self._courses.setdefault(WHOLE, RuleState())
            due = self._advance(course, self.rule.holds_of(result, course.since is not None), now)
            return [Trigger(course.since or 0.0, self._about(result))] if due else []
        faces = {-1 - i if f.id is None else f.id: f for i, f in enumerate(result.faces)}
        occasions = []
        for key in {*faces, *self._courses}:
            course = self._courses.setdefault(key, RuleState())
            face = faces.get(key)
            holds = face is not None and self.rule.holds(face.prediction, course.since is not None)
            if face is not None:
                course.seen = now
            if self._advance(course, holds, now):
                occasions.append(Trigger(course.since or 0.0, face))
        self._courses = {
            key: course
            for key, course in self._courses.items()
            if now - course.seen < GONE_S or now < course.quiet
        }
        return occasions

    def reset(self) -> None:
        """Forget what was going on: the camera was lost, and nobody knows what happened."""
        for course in self._courses.values():
            course.since, course.broken, course.acted = None, None, False

    def _advance(self, course: RuleState, holds: bool, now: float) -> bool:
        if not holds and course.broken is None:
            course.broken = now
        if course.broken is not None and now - course.broken > GAP_S:
            course.since, course.acted = None, False
        if not holds:
            return False
        course.broken = None
        if course.since is None:
            course.since = now
        if course.acted or now - course.since < self.rule.lasting or now < course.quiet:
            return False
        course.acted = True
        course.quiet = now + self.rule.rest
        return True

    def _about(self, result: FrameResult) -> Face | None:
        """Return the face that fulfils the condition most clearly."""
        faces = [face for face in result.faces if self.rule.holds(face.prediction, True)]
        label = self.rule.label
        if label is None or not faces:
            return faces[0] if faces else None
        sign = 1 if self.rule.above else -1
        return max(faces, key=lambda face: sign * face.prediction.probabilities.get(label, 0.0))
