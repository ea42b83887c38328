"""Finds the moments at which a face's expression changed for good."""

from __future__ import annotations

from dataclasses import dataclass

SETTLED_S = 1.0  # s that another emotion must last to be a change


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
        self._now: str | None = None  # the settled emotion
        self._before: str | None = None
        self._began = 0.0
        self._next: tuple[str, float] | None = None

    def see(self, emotion: str, time: float, face: tuple[int, int] | None) -> Transition | None:
        """Take a reading in; return the moment that has just become complete."""
        self.seen = time
        if emotion == self._now:
            self._next = None
            return None
        if self._next is None or self._next[0] != emotion:
            self._next = (emotion, time)
            return None
        if time - self._next[1] < SETTLED_S:
            return None
        done = self._complete(self._next[1], face)
        self._before, self._now, self._began = self._now, *self._next
        self._next = None
        return done

    def end(self, face: tuple[int, int] | None) -> Transition | None:
        """Return the last moment, where the face is gone."""
        return self._complete(self.seen, face)

    def _complete(self, until: float, face: tuple[int, int] | None) -> Transition | None:
        if self._now is None or self._before is None:  # what a face begins with is no change
            return None
        return Transition(self._began, face, self._before, self._now, until - self._began)
