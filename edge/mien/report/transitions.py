"""Finds the moments at which a face's expression changed for good."""

from __future__ import annotations

from dataclasses import dataclass

from mien.debounce import Debounced

DEBOUNCE_S = 1.0  # s that another emotion must last to be a change


@dataclass(frozen=True)
class Transition:
    """A change from one emotion to another that lasted."""

    time: float  # s, when the new one began
    face: tuple[int, int] | None  # whose, as in Session.faces; None where faces are not followed
    before: str | None  # None at a face's first appearance
    after: str
    lasted: float  # s


class TransitionDetector:
    """One face."""

    def __init__(self) -> None:
        self.seen = 0.0  # s, when it was last read
        self._emotion: Debounced[str | None] = Debounced(None)
        self._before: str | None = None
        self._began = 0.0  # s, when the emotion that holds began

    def see(self, emotion: str, time: float, face: tuple[int, int] | None) -> Transition | None:
        """Take a prediction in; return the transition that has just become complete."""
        self.seen = time
        before = self._emotion.value
        if self._emotion.update(emotion, time, DEBOUNCE_S) == before:
            return None
        done = self._complete(before, self._emotion.since, face)
        self._before, self._began = before, self._emotion.since
        return done

    def end(self, face: tuple[int, int] | None) -> Transition | None:
        """Return the last transition, where the face is gone."""
        return self._complete(self._emotion.value, self.seen, face)

    def _complete(
        self, emotion: str | None, until: float, face: tuple[int, int] | None
    ) -> Transition | None:
        if emotion is None or self._before is None:  # what a face begins with is no change
            return None
        return Transition(self._began, face, self._before, emotion, until - self._began)
