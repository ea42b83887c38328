"""Debouncing: a value that changes only once a new one has lasted."""

from __future__ import annotations

from typing import Generic, TypeVar

Value = TypeVar("Value")


class Debounced(Generic[Value]):
    """A debounced value; times are seconds of one clock.

    Attributes:
        value: The value that holds.
        since: Since when the newest input has been the same, s.
    """

    def __init__(self, value: Value) -> None:
        self.value = value
        self.since = 0.0
        self._pending = value

    def update(self, value: Value, now: float, patience_s: float) -> Value:
        """Take the input at `now`; return the value that holds.

        A new input becomes the value once it has lasted `patience_s`.
        """
        if value != self._pending:
            self._pending, self.since = value, now
        if now - self.since >= patience_s:
            self.value = self._pending
        return self.value
