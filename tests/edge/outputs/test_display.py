"""What a person sees while it runs: the window and the status line."""

from __future__ import annotations

import sys
from pathlib import Path

import cv2
import pytest
from mien.console import format_duration
from mien.errors import UserError
from mien.outputs.display import DisplayWindow, check_screen
from mien.outputs.status_line import StatusLine
from results import paint, result


class Screen:
    """OpenCV's window functions on a screen with a person at it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.key = -1
        self.visible: float | None = 1.0
        self.shown: list[int] = []
        for name in ("namedWindow", "resizeWindow", "destroyAllWindows"):
            monkeypatch.setattr(cv2, name, lambda *a: None)
        monkeypatch.setattr(cv2, "imshow", lambda title, bgr: self.shown.append(int(bgr.mean())))
        monkeypatch.setattr(cv2, "waitKey", lambda ms: self.key)
        monkeypatch.setattr(cv2, "getWindowProperty", self.get)

    def get(self, title: str, what: int) -> float:
        if self.visible is None:
            raise cv2.error("NULL guiReceiver (please create a window)")
        return self.visible


@pytest.mark.parametrize("key", [ord("q"), ord("x"), 27, 0x100000 | ord("q")])
def test_keys_close_the_window(monkeypatch: pytest.MonkeyPatch, key: int) -> None:
    screen = Screen(monkeypatch)
    window = DisplayWindow(paced=False, fps=25)
    window.write(paint(1), 0)
    screen.key = ord("a")
    window.write(paint(2), 0.04)
    assert not window.closed
    screen.key = key
    window.write(paint(3), 0.08)
    assert window.closed
    assert screen.shown == [1, 2, 3]
    window.close()


@pytest.mark.parametrize("visible", [0.0, -1.0, None])
def test_the_close_button(monkeypatch: pytest.MonkeyPatch, visible: float | None) -> None:
    screen = Screen(monkeypatch)
    window = DisplayWindow(paced=True, fps=1)
    window.write(paint(1), 0)
    screen.visible = visible
    window.write(paint(2), 100)  # would wait for 100 s
    assert window.closed
    assert screen.shown == [1]


def test_no_screen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    with pytest.raises(UserError, match="no screen for --window"):
        check_screen()
    monkeypatch.setenv("DISPLAY", ":4177")  # OpenCV's Qt would end this process
    with pytest.raises(UserError, match="cannot be reached"):
        check_screen()


def test_the_headless_opencv(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "cv2.py").write_text(
        "class error(Exception): pass\n"
        "def namedWindow(name):\n"
        "    raise error('The function is not implemented. Rebuild the library with Windows, "
        "GTK+ 2.x or Cocoa support.')\n"
    )
    monkeypatch.setenv("DISPLAY", ":0")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(UserError, match="headless one and has no windows"):
        check_screen()


def test_the_status_line_is_for_terminals(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("mien.outputs.status_line.REFRESH_S", 0)
    status = StatusLine()
    status.update(1, result(0, 0, 0.9))
    status.say("a camera said no")
    assert capsys.readouterr().err == "mien: a camera said no\n"
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "200")
    status = StatusLine()
    status.total = 300
    for done in range(1, 151):
        status.update(done, result(done, 0, 0.9, 0.1))
    status.clear()
    written = capsys.readouterr().err
    assert " 50 %  150 of 300 frames" in written
    assert " left  happy 0.90, sad 0.90" in written
    assert written.endswith("\r\x1b[K")
    monkeypatch.setenv("COLUMNS", "40")
    status = StatusLine()
    status.update(5, result(5, 61, *[0.9] * 9))
    assert len(capsys.readouterr().err.removeprefix("\r\x1b[K")) <= 39


def test_time_as_people_write_it() -> None:
    assert [format_duration(s) for s in (0, 59.4, 59.6, 3599, 3661)] == [
        "0:00",
        "0:59",
        "1:00",
        "59:59",
        "1:01:01",
    ]
