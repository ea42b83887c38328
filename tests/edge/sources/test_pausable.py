"""A source that is paused: the camera is given back, and its frames go on where they stopped."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import numpy as np
from mien.errors import UserError
from mien.sources.base import Change, Frame
from mien.sources.pausable import PausableSource, PauseSwitch


class Camera:
    """A live source of ten frames a second, faked at the boundary."""

    name, fps, total, live = "camera", 10.0, None, True

    def __init__(self, dropped: int = 0) -> None:
        self.dropped = dropped
        self.closed = False
        self.trying = lambda: None

    def frames(self) -> Iterator[Frame | Change]:
        for index in range(50):
            yield Frame(index, index / 10, np.zeros((4, 4), np.uint8))

    def close(self) -> None:
        self.closed = True


def test_a_paused_camera_is_closed_and_goes_on(monkeypatch) -> None:
    monkeypatch.setattr("mien.sources.pausable.SLICE_S", 0.02)
    monkeypatch.setattr("mien.sources.pausable.AGAIN_S", 0.02)
    pause, first, second = PauseSwitch(), Camera(3), Camera(4)
    attempts: list[int] = []

    def reopen() -> Camera:
        attempts.append(1)
        if len(attempts) < 3:
            raise UserError("It is not there.")
        return second

    source = PausableSource(first, reopen, pause)
    signs: list[int] = []
    source.trying = lambda: signs.append(1)
    seen: list[Frame | Change] = []
    for item in source.frames():
        seen.append(item)
        if len(seen) == 5:
            pause.set(True)
            threading.Timer(0.3, pause.set, [False]).start()
        if isinstance(item, Change) and item.state == "paused":
            assert not first.closed  # only when the next is asked for
        if len(seen) == 12:
            break
    assert first.closed
    assert len(attempts) == 3
    assert len(signs) >= 3  # the watchdog hears that it is paused, not stuck
    states = [item.state if isinstance(item, Change) else item.index for item in seen]
    assert states == [0, 1, 2, 3, 4, "paused", "back", 6, 7, 8, 9, 10]
    times = [item.time for item in seen]
    assert times == sorted(times)
    assert times[7] - times[4] >= 0.3
    assert source.dropped == 7
    source.close()
    assert second.closed


def test_a_file_waits_and_nothing_is_opened_anew() -> None:
    pause = PauseSwitch()
    file = Camera()
    file.live = False

    def reopen() -> Camera:
        raise AssertionError

    source = PausableSource(file, reopen, pause)
    start = time.monotonic()
    indices = []
    for item in source.frames():
        indices.append(item.state if isinstance(item, Change) else item.index)
        if indices == [0, 1]:
            pause.set(True)
            threading.Timer(0.2, pause.set, [False]).start()
    assert indices == [0, 1, "paused", "back", *range(3, 50)]  # one was already taken
    assert time.monotonic() - start >= 0.2
    assert not file.closed
