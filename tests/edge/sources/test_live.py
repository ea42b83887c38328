"""Live sources: the newest frame of a device, what happens when it is lost, and how it is found."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Iterator

import numpy as np
import pytest
from mien.errors import UserError
from mien.sources import Change, Frame, SourceLost, live
from mien.sources.base import CapturedFrame
from mien.sources.frame_grabber import BackgroundOpen, open_interruptible
from mien.sources.live import LiveSource, delays


class Metronome:
    """A device that gives a frame whenever the test says so."""

    name = "metronome"
    fps = 30.0

    def __init__(self) -> None:
        self.go = threading.Semaphore(0)
        self.given = 0
        self.closed = 0
        self.last: int | None = None  # the frame after which it is unplugged
        self.hold = threading.Event()  # closing waits for it
        self.hold.set()

    def read(self) -> CapturedFrame:
        if not self.go.acquire(timeout=5):
            raise SourceLost("the test forgot it")
        if self.given == self.last:
            raise SourceLost("metronome was unplugged.")
        self.given += 1
        capture_time = time.monotonic()
        return CapturedFrame(capture_time, np.full((2, 2), self.given, np.uint8), None)

    def close(self) -> None:
        self.hold.wait(5)
        self.closed += 1

    def tick(self, times: int = 1) -> None:
        """Let it give frames and wait until they are read."""
        goal = self.given + times
        for _ in range(times):
            self.go.release()
        while self.given < goal:
            time.sleep(0.001)
        time.sleep(0.02)  # for the reader to keep the last of them


def end(source: LiveSource, device: Metronome) -> None:
    """Close a source whose device waits for its next frame."""
    threading.Timer(0.05, device.go.release).start()
    source.close()


def never() -> Metronome:
    raise UserError("nothing is there.")


def frame(item: Frame | Change) -> Frame:
    assert isinstance(item, Frame)
    return item


def test_a_slow_reader_gets_the_newest_frame() -> None:
    device = Metronome()
    source = LiveSource(device, never)
    frames = source.frames()
    device.go.release()
    first = frame(next(frames))
    device.tick(5)
    second = frame(next(frames))
    assert (first.index, first.time) == (0, 0.0)
    assert second.index == 5
    assert second.gray[0, 0] == 6
    assert first.capture_time is not None
    assert second.capture_time is not None
    assert second.time == pytest.approx(second.capture_time - first.capture_time)
    assert source.dropped == 4
    device.go.release()
    assert frame(next(frames)).index == 6
    assert source.dropped == 4
    end(source, device)


def test_the_last_frame_before_an_unplug_is_given() -> None:
    device = Metronome()
    device.last = 2
    said: list[str] = []
    frames = LiveSource(device, never, said.append, give_up=0).frames()
    device.go.release()
    assert frame(next(frames)).index == 0
    device.go.release(2)
    assert frame(next(frames)).index == 1
    lost = next(frames)
    assert isinstance(lost, Change)
    assert (lost.state, lost.why) == ("lost", "metronome was unplugged.")
    with pytest.raises(SourceLost, match=r"no frame for 0 s and is given up: .*unplugged"):
        next(frames)
    assert device.closed == 1
    assert said == []  # nothing is looked for


def test_one_that_never_gave_a_frame_ends_at_once() -> None:
    device = Metronome()
    device.last = 0
    device.go.release()
    with pytest.raises(SourceLost, match="unplugged"):
        next(LiveSource(device, lambda: pytest.fail("opened again")).frames())


def test_back_with_rising_indices_and_times() -> None:
    devices = [Metronome(), Metronome()]
    said: list[str] = []
    source = LiveSource(devices[0], lambda: devices[1], said.append, pause=lambda seconds: None)
    frames = source.frames()
    devices[0].last = 3
    devices[0].go.release()
    seen = [next(frames)]
    devices[0].tick(2)
    seen.append(next(frames))
    devices[0].go.release()
    seen.append(next(frames))
    assert said == ["metronome was unplugged. Looking for it."]
    devices[1].go.release()
    seen += [next(frames), next(frames)]
    devices[1].tick(3)
    seen.append(next(frames))
    states = [item.index if isinstance(item, Frame) else item.state for item in seen]
    assert states == [0, 2, "lost", "back", 3, 6]
    assert source.dropped == 3
    times = [item.time for item in seen]
    assert times == sorted(times)
    assert times[4] > times[1]
    assert said[1:] == ["metronome is back after 0 s."]
    assert devices[0].closed == 1
    end(source, devices[1])


def test_attempts_become_rarer_and_only_changes_are_said() -> None:
    assert list(itertools.islice(delays(1, 30), 8)) == [1, 2, 4, 8, 16, 30, 30, 30]
    devices = [Metronome(), Metronome()]
    tries = 0
    pauses: list[float] = []
    said: list[str] = []

    def reopen() -> Metronome:
        nonlocal tries
        tries += 1
        if tries < 7:
            raise UserError("nothing is there.")
        return devices[1]

    source = LiveSource(devices[0], reopen, said.append, pause=pauses.append)
    frames = source.frames()
    devices[0].go.release()
    next(frames)
    devices[0].last = 1
    devices[0].go.release()
    devices[1].go.release()
    assert [next(frames).time >= 0 for _ in range(3)] == [True] * 3
    assert pauses == [1, 2, 4, 8, 16, 30, 30]
    assert len(said) == 2
    # Once it was back, the next search starts quickly again.
    pauses.clear()
    devices[1].last = 1
    devices[1].go.release()
    tries, devices[1] = 6, Metronome()
    devices[1].go.release()
    assert [next(frames).time >= 0 for _ in range(3)] == [True] * 3
    assert pauses == [1]
    end(source, devices[1])


def test_a_device_that_opens_and_gives_nothing_is_not_back() -> None:
    devices = [Metronome() for _ in range(4)]
    rest = iter(devices[1:])
    source = LiveSource(devices[0], lambda: next(rest), lambda s: None, pause=lambda s: None)
    frames = source.frames()
    for number, device in enumerate(devices[:3]):
        device.last = 0 if number else 1
        device.go.release(2)
    devices[3].go.release()
    kinds = [getattr(next(frames), "state", "frame") for _ in range(4)]
    assert kinds == ["frame", "lost", "back", "frame"]
    assert [device.closed for device in devices] == [1, 1, 1, 0]
    end(source, devices[3])


def test_a_read_that_hangs_counts_as_lost() -> None:
    device = Metronome()
    start = time.monotonic()
    source = LiveSource(device, never, lambda sentence: None, stall_s=0.1, give_up=0.8)
    frames = source.frames()
    device.go.release()
    next(frames)
    lost = next(frames)
    assert isinstance(lost, Change)
    assert "metronome gave no frame for 0.6 s" in lost.why
    assert lost.time == pytest.approx(0.6, abs=0.3)
    with pytest.raises(SourceLost, match=r"no frame for 0\.8 s and is given up"):
        next(frames)
    assert time.monotonic() - start < 2
    device.go.release()
    source.close()


def test_a_device_that_does_not_let_go_is_told_and_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "CLOSE_S", 0.1)
    devices = [Metronome(), Metronome()]
    said: list[str] = []
    source = LiveSource(devices[0], lambda: devices[1], said.append, pause=lambda seconds: None)
    frames = source.frames()
    devices[0].hold.clear()
    devices[0].last = 1
    devices[0].go.release(2)
    devices[1].go.release()
    assert [getattr(next(frames), "index", None) for _ in range(4)] == [0, None, None, 1]
    assert said[1] == "metronome does not let go of its device; start mien again if it stays so."
    assert devices[0].closed == 0
    devices[0].hold.set()
    end(source, devices[1])


def test_an_opening_that_hangs_is_told_and_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "SILENT_S", 0.1)
    device, late = Metronome(), Metronome()
    answer = threading.Event()
    said: list[str] = []

    def reopen() -> Metronome:
        answer.wait(5)
        return late

    source = LiveSource(device, reopen, said.append, give_up=1.3, pause=lambda seconds: None)
    frames = source.frames()
    device.last = 1
    device.go.release(2)
    next(frames)
    next(frames)
    with pytest.raises(SourceLost, match="given up"):
        next(frames)
    assert "hangs as it is opened" in said[1]
    answer.set()
    deadline = time.monotonic() + 2
    while not late.closed and time.monotonic() < deadline:
        time.sleep(0.01)
    assert late.closed == 1  # it came, and nobody wanted it any more


def test_closing_ends_a_search() -> None:
    device = Metronome()
    source = LiveSource(device, never, lambda sentence: None)
    device.last = 1
    device.go.release(2)
    frames = source.frames()
    next(frames)
    next(frames)
    threading.Timer(0.1, source.close).start()
    start = time.monotonic()
    assert list(frames) == []
    assert time.monotonic() - start < 0.9  # before the first attempt


def test_closing_gives_the_device_back() -> None:
    device = Metronome()
    LiveSource(device, never).close()
    assert device.closed == 1
    device = Metronome()
    source = LiveSource(device, never)
    frames = source.frames()
    device.go.release()
    next(frames)
    threading.Timer(0.1, device.go.release).start()  # a camera's next frame
    source.close()
    source.close()
    assert device.closed == 1
    assert list(frames) == [] or device.given == 2


def test_a_mistake_of_ours_is_no_lost_device() -> None:
    class Wrong(Metronome):
        def read(self) -> CapturedFrame:
            raise ZeroDivisionError

    device = Wrong()
    with pytest.raises(ZeroDivisionError):
        next(LiveSource(device, never).frames())
    assert device.closed == 1


def test_opening_in_a_thread_hands_results_and_errors_over() -> None:
    device = Metronome()
    assert open_interruptible(lambda: device) is device
    assert device.closed == 0
    with pytest.raises(UserError, match="nothing"):
        open_interruptible(never)


@pytest.fixture
def gate() -> Iterator[threading.Event]:
    event = threading.Event()
    yield event
    event.set()


def test_what_was_opened_for_nobody_is_closed(gate: threading.Event) -> None:
    devices = [Metronome(), Metronome()]
    opening = BackgroundOpen(lambda: devices[0])
    while any(thread.name.startswith("mien open") for thread in threading.enumerate()):
        time.sleep(0.01)
    opening.abandon()
    assert devices[0].closed == 1

    def slow() -> Metronome:
        gate.wait(5)
        return devices[1]

    opening = BackgroundOpen(slow)
    assert opening.wait(0.01) is None
    opening.abandon()
    gate.set()
    deadline = time.monotonic() + 2
    while not devices[1].closed and time.monotonic() < deadline:
        time.sleep(0.01)
    assert devices[1].closed == 1
