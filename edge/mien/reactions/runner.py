"""Action runner: starts a command or posts to a URL in its own thread, with the event as JSON."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import signal
import subprocess
import threading
import urllib.error
import urllib.request
from typing import Any
from urllib.parse import urlsplit

from mien.child import environment_without_secrets
from mien.reactions.rules import Rule
from mien.sources.base import Say

COMMAND_TIMEOUT_S = 30.0  # s that a command may take
URL_TIMEOUT_S = 10.0  # s that an answer may take
MAX_QUEUED = 4  # events per rule; what comes on top is dropped and said
CLOSE_TIMEOUT_S = 5.0  # s that the end of a run waits for what is under way


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A post that is sent elsewhere is not followed: nobody named that place."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        """Refuse."""


class ActionRunner:
    """Runs the actions of one rule, one after the other."""

    def __init__(self, rule: Rule, say: Say, command_timeout_s: float = COMMAND_TIMEOUT_S) -> None:
        self.dropped = 0
        self._rule = rule
        self._say = say
        self._command_timeout_s = command_timeout_s
        self._running: subprocess.Popen[bytes] | None = None
        self._ending = False
        self._queue: queue.Queue[dict[str, Any] | None] = queue.Queue(MAX_QUEUED)
        self._thread = threading.Thread(target=self._work, name="mien-reaction", daemon=True)
        self._thread.start()

    def put(self, event: dict[str, Any]) -> None:
        """Hand an event over; never waits."""
        try:
            self._queue.put_nowait(event)
        except queue.Full:
            self.dropped += 1
            if self.dropped == 1:
                self._report_trouble("is not done with the last events; this one is dropped")

    def close(self) -> None:
        """Let what is under way end, for a while."""
        with contextlib.suppress(queue.Full):
            self._queue.put_nowait(None)
        self._thread.join(CLOSE_TIMEOUT_S)
        self._ending = True
        if self._running is not None:
            _kill(self._running)

    def _work(self) -> None:
        while not self._ending:
            event = self._queue.get()
            if event is None:
                return
            data = json.dumps(event, allow_nan=False).encode()
            if self._rule.url is not None:
                self._post(self._rule.url, data)
            else:
                self._run(self._rule.command or (), data)

    def _run(self, command: tuple[str, ...], data: bytes) -> None:
        try:
            process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,  # stdout may be the run's own JSON
                stderr=subprocess.DEVNULL,
                env=environment_without_secrets(),
                start_new_session=True,  # so that its children end with it
            )
        except OSError as error:
            self._report_trouble(f"cannot be started ({error.strerror})")
            return
        self._running = process
        try:
            process.communicate(data + b"\n", timeout=self._command_timeout_s)
        except subprocess.TimeoutExpired:
            _kill(process)
            self._report_trouble(f"took longer than {self._command_timeout_s:g} s and was ended")
            return
        except BrokenPipeError:  # it does not care for the event
            process.wait()
        finally:
            self._running = None
        if process.returncode != 0 and not self._ending:
            self._report_trouble(f"ended with exit code {process.returncode}")

    def _post(self, url: str, data: bytes) -> None:
        request = urllib.request.Request(
            url, data, {"Content-Type": "application/json", "User-Agent": "mien"}, method="POST"
        )
        opener = urllib.request.build_opener(_NoRedirect)
        try:
            with opener.open(request, timeout=URL_TIMEOUT_S) as answer:
                answer.read(1024)
        except urllib.error.HTTPError as error:
            self._report_trouble(f"answered {error.code}")
        except (OSError, ValueError):
            self._report_trouble("does not answer")

    def _report_trouble(self, words: str) -> None:
        rule = self._rule
        # A URL may carry a secret in its path or query.
        name = urlsplit(rule.url).hostname if rule.url else (rule.command or ("",))[0]
        self._say(f"--on '{rule.text}': {name} {words}.")


def _kill(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(1.0)
