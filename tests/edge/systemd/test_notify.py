"""Life signs for systemd: a real socket in the place of systemd's, a real `mien run` behind it."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from mien.errors import UserError
from mien.sources import live
from mien.sources.base import CapturedFrame, Change, SourceLost
from mien.sources.live import LiveSource
from mien.systemd.notify import Heartbeat
from running import BOTH, CLIP, START


class Manager:
    """Plays the service manager: a bound datagram socket."""

    def __init__(self, address: str) -> None:
        self.address = address
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind("\0" + address[1:] if address.startswith("@") else address)

    def next(self, timeout: float) -> str | None:
        """Return the next message, None where none comes in time."""
        self._socket.settimeout(timeout)
        try:
            return self._socket.recv(4096).decode()
        except (TimeoutError, socket.timeout):  # noqa: UP041 - two classes in Python 3.9 and 3.10
            return None

    def waiting(self) -> list[str]:
        """Return what has come so far."""
        return list(iter(lambda: self.next(0.01), None))

    def until(self, wanted: str, timeout: float) -> list[str]:
        """Return what comes up to a message; fails where it does not come."""
        came: list[str] = []
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            message = self.next(max(0.01, end - time.monotonic()))
            if message is not None:
                came.append(message)
            if message == wanted:
                return came
        pytest.fail(f"no {wanted} in {timeout} s, only {came}")


@pytest.fixture
def manager(tmp_path: Path) -> Manager:
    return Manager(str(tmp_path / "notify"))


@contextlib.contextmanager
def running(manager: Manager, limit: float, *words: object) -> Iterator[subprocess.Popen[str]]:
    environment = {
        **os.environ,
        "NOTIFY_SOCKET": manager.address,
        "WATCHDOG_USEC": str(round(limit * 1e6)),
    }
    process = subprocess.Popen(
        [*START, *map(str, words)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def test_a_run_tells_that_it_started_lives_and_ends(manager: Manager) -> None:
    with running(manager, 0.2, CLIP, "--max-frames", 60) as process:
        came = manager.until("STOPPING=1", 60)
        assert process.wait(60) == 0
    assert came[0] == "READY=1"
    assert came.count("READY=1") == 1
    assert came.count("WATCHDOG=1") >= 3
    (status,) = [message for message in came if message.startswith("STATUS=")]
    assert "frames" in status


def test_a_stopped_process_gives_no_sign_of_life(manager: Manager, tmp_path: Path) -> None:
    # A folder that never ends: pictures are cheap to make and a run of them takes a while.
    for number in range(400):
        (tmp_path / f"{number:03d}.jpg").symlink_to(BOTH)
    with running(manager, 0.4, tmp_path) as process:
        manager.until("WATCHDOG=1", 60)
        manager.until("WATCHDOG=1", 60)  # it beats on
        process.send_signal(signal.SIGSTOP)
        os.waitpid(process.pid, os.WUNTRACED)
        manager.waiting()
        assert manager.next(1.5) is None  # systemd would now end and restart it
        process.send_signal(signal.SIGCONT)
        manager.until("WATCHDOG=1", 60)


def test_no_beat_comes_from_a_loop_that_does_not_turn(manager: Manager) -> None:
    heartbeat = Heartbeat(manager.address, limit=0.2)
    heartbeat.beat()
    assert manager.waiting() == ["READY=1", "WATCHDOG=1"]
    assert manager.next(0.5) is None  # no thread beats in its place
    heartbeat.beat()
    assert manager.waiting() == ["WATCHDOG=1"]
    heartbeat.close()


def test_beats_are_rationed_however_fast_the_frames_come(manager: Manager) -> None:
    heartbeat = Heartbeat(manager.address, limit=60.0)
    for _ in range(1000):
        heartbeat.beat()
        heartbeat.status("as before")
    assert manager.waiting() == ["READY=1", "WATCHDOG=1", "STATUS=as before"]


def test_the_manager_s_variables_decide(manager: Manager) -> None:
    here = {"NOTIFY_SOCKET": manager.address}
    Heartbeat.from_environment(here).beat()
    assert manager.waiting() == ["READY=1"]  # no watchdog was asked for
    Heartbeat.from_environment({**here, "WATCHDOG_USEC": "9000000", "WATCHDOG_PID": "1"}).beat()
    assert manager.waiting() == ["READY=1"]  # it is another process that is watched
    own = {**here, "WATCHDOG_USEC": "9000000", "WATCHDOG_PID": str(os.getpid())}
    Heartbeat.from_environment(own).beat()
    assert manager.waiting() == ["READY=1", "WATCHDOG=1"]


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="abstract sockets are Linux's")
def test_an_abstract_socket_is_one_too() -> None:
    manager = Manager(f"@mien-test-{os.getpid()}")
    Heartbeat(manager.address).beat()
    assert manager.waiting() == ["READY=1"]


@pytest.mark.parametrize("address", [None, "", "/no/such/socket"])
def test_without_a_manager_nothing_is_sent_and_nothing_stays_open(address: str | None) -> None:
    def descriptors() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    before = descriptors()
    heartbeat = Heartbeat(address, limit=1.0)
    assert descriptors() - before == bool(address)  # no socket where nobody asked for one
    heartbeat.beat()
    heartbeat.status("anything")
    heartbeat.stopping()
    heartbeat.close()
    heartbeat.close()
    heartbeat.beat()
    assert descriptors() == before


class Camera:
    """A camera that gives one frame and is then lost: with a sentence, or by hanging."""

    name = "camera"
    fps: float | None = 30.0

    def __init__(self, hangs: threading.Event | None = None, frames: int = 1) -> None:
        self._hangs = hangs
        self._left = frames

    def read(self) -> CapturedFrame:
        self._left -= 1
        if self._left >= 0:
            return CapturedFrame(time.monotonic(), np.zeros((48, 64), np.uint8), None)
        if self._hangs is not None:
            self._hangs.wait(60)
        raise SourceLost("camera gives no more pictures; check its plug.")

    def close(self) -> None:
        pass


@pytest.mark.parametrize("hangs", [False, True])
def test_a_search_is_a_sign_of_life_and_a_read_that_hangs_is_none(
    hangs: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "CLOSE_S", 0.1)
    freed = threading.Event()
    attempts: list[None] = []
    signs: list[int] = []

    def reopen() -> Camera:
        attempts.append(None)
        if len(attempts) < 4:
            raise UserError("It is not there.")
        return Camera(frames=1000)

    source = LiveSource(
        Camera(freed if hangs else None),
        reopen,
        say=lambda sentence: None,
        stall_s=0.1,
        pause=lambda seconds: None,
    )
    source.trying = lambda: signs.append(len(attempts))
    states = [item.state for item in islice(source.frames(), 3) if isinstance(item, Change)]
    assert states == ["lost", "back"]
    assert signs == ([] if hangs else [0, 1, 2, 3])
    freed.set()
    source.close()
