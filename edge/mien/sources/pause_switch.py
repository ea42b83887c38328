"""Whether the camera is to rest: set from outside (Home Assistant), asked by the run."""

from __future__ import annotations

import threading


class Pause:
    """A switch between threads: `paused` is asked for every frame, `set` comes from anywhere."""

    def __init__(self) -> None:
        self._resumed = threading.Event()
        self._resumed.set()

    @property
    def paused(self) -> bool:
        """Whether no frame is to be looked at now."""
        return not self._resumed.is_set()

    def set(self, paused: bool) -> None:
        """Pause, or go on."""
        if paused:
            self._resumed.clear()
        else:
            self._resumed.set()

    def wait(self, seconds: float) -> bool:
        """Wait while paused, so many seconds at most; return whether it goes on."""
        return self._resumed.wait(seconds)
