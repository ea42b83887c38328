"""Drives a headless Chromium through its DevTools protocol, over a pipe; standard library only."""

from __future__ import annotations

import base64
import contextlib
import itertools
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = [
    "--headless=new",
    "--no-sandbox",  # as root, in a container, it has no other way
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--hide-scrollbars",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--remote-debugging-pipe",
]
PATIENCE_S = 40.0
# DevTools' pipe is file descriptors 3 and 4.
LAUNCH = """
import fcntl, os, sys
read, write = (fcntl.fcntl(int(number), fcntl.F_DUPFD, 10) for number in sys.argv[1:3])
os.dup2(read, 3)
os.dup2(write, 4)
os.execv(sys.argv[3], sys.argv[3:])
"""


class Browser:
    """One tab."""

    def __init__(self, process: subprocess.Popen[bytes], write: int, read: int) -> None:
        self._process = process
        self._write = write
        self._read = read
        self._numbers = itertools.count(1)
        self._session: str | None = None
        self._buffer = b""
        self.events: list[dict[str, Any]] = []
        target = self.ask("Target.createTarget", url="about:blank")["targetId"]
        attached = self.ask("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.ask(f"{domain}.enable")

    def ask(self, method: str, **parameters: Any) -> Any:
        """Call a method of the protocol and return its result."""
        number = next(self._numbers)
        message: dict[str, Any] = {"id": number, "method": method, "params": parameters}
        if self._session is not None:
            message["sessionId"] = self._session
        os.write(self._write, json.dumps(message).encode() + b"\0")
        end = time.monotonic() + PATIENCE_S
        while time.monotonic() < end:
            for answer in self._messages(end):
                if answer.get("id") == number:
                    assert "error" not in answer, answer
                    return answer["result"]
                self.events.append(answer)
        raise AssertionError(f"Chromium did not answer {method}")

    def open(self, url: str) -> None:
        """Go to an address."""
        self.ask("Page.navigate", url=url)

    def js(self, expression: str) -> Any:
        """Evaluate an expression in the page."""
        given = self.ask(
            "Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True
        )
        assert "exceptionDetails" not in given, given["exceptionDetails"]
        return given["result"].get("value")

    def until(self, expression: str, seconds: float = 20.0) -> Any:
        """Wait until an expression is true, and return it."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if value := self.js(expression):
                return value
            time.sleep(0.1)
        raise AssertionError(f"never true: {expression}")

    def size(self, width: int, height: int, phone: bool = False) -> None:
        """Make the window as large as a screen (px)."""
        self.ask(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=2 if phone else 1,
            mobile=phone,
        )

    def dark(self, wanted: bool) -> None:
        """Prefer dark colours, or light ones."""
        feature = {"name": "prefers-color-scheme", "value": "dark" if wanted else "light"}
        self.ask("Emulation.setEmulatedMedia", features=[feature])

    def screenshot(self, whole: bool = False) -> bytes:
        """Return what is seen as PNG; `whole` takes what one would scroll to, too."""
        given = self.ask("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        return base64.b64decode(given["data"])

    def complaints(self) -> list[str]:
        """Return the errors in the console: exceptions, and what the CSP kept away."""
        found = []
        for event in self.events:
            if event.get("method") == "Runtime.exceptionThrown":
                found.append(str(event["params"]["exceptionDetails"]))
            if event.get("method") == "Log.entryAdded":
                entry = event["params"]["entry"]
                if entry["level"] == "error":
                    found.append(f"{entry['text']} {entry.get('url')}")
        return found

    def requested(self) -> set[str]:
        """Return every address that was asked for."""
        return {
            event["params"]["request"]["url"]
            for event in self.events
            if event.get("method") == "Network.requestWillBeSent"
        }

    def _messages(self, end: float) -> Iterator[dict[str, Any]]:
        ready, _, _ = select.select([self._read], [], [], max(0.0, end - time.monotonic()))
        if ready:
            data = os.read(self._read, 1 << 20)
            assert data, "Chromium has ended"
            self._buffer += data
        *whole, self._buffer = self._buffer.split(b"\0")
        for text in whole:
            yield json.loads(text)


def find() -> str | None:
    return next((path for name in NAMES if (path := shutil.which(name))), None)


@contextlib.contextmanager
def browsing() -> Iterator[Browser]:
    """Start Chromium; skips the test where there is none."""
    program = find()
    if program is None:
        pytest.skip("there is no Chromium here")
    down, up = os.pipe(), os.pipe()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        command = [sys.executable, "-c", LAUNCH, str(down[0]), str(up[1]), program, *FLAGS]
        process = subprocess.Popen(
            [*command, f"--user-data-dir={profile}"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            pass_fds=(down[0], up[1]),
            start_new_session=True,
            env={**os.environ, "HOME": profile, "XDG_CONFIG_HOME": str(Path(profile) / "config")},
        )
        os.close(down[0])
        os.close(up[1])
        try:
            yield Browser(process, down[1], up[0])
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            os.close(down[1])
            os.close(up[0])
