"""What goes to systemd's journal: a real socket in its place, a real `mien run` behind it."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from mien import log
from mien.log import LogEvent
from mjpeg_server import network_camera

PROGRAM = """
import sys
from mien import log
from mien.sources import live
log.JOURNAL_SOCKET = sys.argv.pop(1)
live.RETRY_FIRST_S = live.RETRY_MAX_S = 0.2
from mien.cli import main
main()
"""


class Journal:
    """Plays the journal."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(place))

    def next(self, seconds: float = 60.0) -> dict[str, str]:
        """Return the fields of the next entry."""
        self._socket.settimeout(seconds)
        data = self._socket.recv(65536)
        fields = {}
        while data:
            line, _, data = data.partition(b"\n")
            name, equals, value = line.partition(b"=")
            if not equals:  # a value of several lines, behind its length
                length = int.from_bytes(data[:8], "little")
                value, data = data[8 : 8 + length], data[9 + length :]
            fields[name.decode()] = value.decode()
        return fields

    def empty(self) -> bool:
        self._socket.settimeout(0.01)
        with contextlib.suppress(TimeoutError, socket.timeout):
            self._socket.recv(65536)
            return False
        return True

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def systemd(tmp_path: Path) -> Iterator[Journal]:
    with contextlib.closing(Journal(tmp_path / "journal")) as played:
        yield played


def logged(systemd: Journal, stderr: Path, *words: object) -> subprocess.Popen[bytes]:
    """Start `mien` as a service whose stderr is the journal: a file that JOURNAL_STREAM names."""
    with stderr.open("w") as file:
        here = os.fstat(file.fileno())
        return subprocess.Popen(
            [sys.executable, "-c", PROGRAM, str(systemd.place), *map(str, words)],
            stdout=subprocess.DEVNULL,
            stderr=file,
            env={**os.environ, "JOURNAL_STREAM": f"{here.st_dev}:{here.st_ino}"},
        )


def test_a_run_tells_its_events_and_nothing_else(systemd: Journal, tmp_path: Path) -> None:
    with network_camera() as camera:
        words = ["run", camera.address, "--config", "none", "--stall", "2"]
        process = logged(systemd, tmp_path / "stderr", *words)
        try:
            started = systemd.next()
            assert (started["MIEN_EVENT"], started["PRIORITY"]) == ("started", "6")
            assert started["MIEN_SOURCE"] == camera.address
            assert started["MIEN_MODEL"] == "mien"
            camera.unplug()
            lost = systemd.next()
            assert (lost["MIEN_EVENT"], lost["PRIORITY"]) == ("lost", "4")
            assert lost["MIEN_SOURCE"] == camera.address
            assert "Looking for it" in lost["MESSAGE"]
            camera.plug()
            back = systemd.next()
            assert (back["MIEN_EVENT"], back["PRIORITY"]) == ("back", "5")
            assert "is back after" in back["MESSAGE"]
            time.sleep(0.5)  # frames say nothing
            process.send_signal(signal.SIGTERM)
            stopped = systemd.next()
            assert (stopped["MIEN_EVENT"], stopped["PRIORITY"]) == ("stopped", "6")
            assert int(stopped["MIEN_FRAMES"]) > 1
            assert process.wait(60) == 0
        finally:
            process.kill()
            process.wait()
    assert systemd.empty()
    assert "mien: " not in (tmp_path / "stderr").read_text()  # not a second time as text


def test_an_error_is_one(systemd: Journal, tmp_path: Path) -> None:
    process = logged(systemd, tmp_path / "stderr", "run", tmp_path / "none.mp4")
    error = systemd.next()
    assert process.wait(60) == 2
    assert (error["MIEN_EVENT"], error["PRIORITY"]) == ("error", "3")
    assert "none.mp4" in error["MESSAGE"]


def test_a_terminal_gets_text_and_only_what_is_worth_it(
    systemd: Journal, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(log, "JOURNAL_SOCKET", str(systemd.place))
    log.warn_user("as on a terminal")
    assert not log.event("it has started", "started")
    assert capfd.readouterr().err == "mien: as on a terminal\n"
    assert systemd.empty()
    monkeypatch.setenv("JOURNAL_STREAM", "1:2")  # of who started it, and not this stderr
    log.warn_user("as on a terminal")
    assert systemd.empty()


def test_many_lines_are_one_value_and_a_journal_that_is_away_is_no_loss(
    systemd: Journal,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    here = os.fstat(2)
    monkeypatch.setenv("JOURNAL_STREAM", f"{here.st_dev}:{here.st_ino}")
    monkeypatch.setattr(log, "JOURNAL_SOCKET", str(systemd.place))
    log.warn_user(LogEvent("usb:0 is lost.\nTwice.", "lost", source="usb:0"))
    assert capfd.readouterr().err == ""
    assert systemd.next() == {
        "MESSAGE": "usb:0 is lost.\nTwice.",
        "PRIORITY": "4",
        "SYSLOG_IDENTIFIER": "mien",
        "MIEN_EVENT": "lost",
        "MIEN_SOURCE": "usb:0",
    }
    monkeypatch.setattr(log, "JOURNAL_SOCKET", str(tmp_path / "gone"))
    log.warn_user("the journal is away")
    assert capfd.readouterr().err == "mien: the journal is away\n"
