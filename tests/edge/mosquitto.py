"""A real mosquitto for a test, and somebody who listens to everything."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from made import LABELS
from mien.mqtt.broker import parse_broker
from mien.mqtt.output import MqttOutput

TOPIC = "mien/kitchen"


def program(name: str = "mosquitto") -> str:
    """Return mosquitto's path; skips the test where it is not installed."""
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin")
    if found is None:
        pytest.skip("mosquitto is not installed (Debian: apt install mosquitto)")
    return found


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


class Mosquitto:
    """A broker that can be killed and started again on the same port."""

    def __init__(self, folder: Path, extra: str = "allow_anonymous true") -> None:
        self.port = free_port()
        self._program = program()
        self._config = folder / "mosquitto.conf"
        who = "user root\n" if os.getuid() == 0 else ""
        self._config.write_text(
            f"listener {self.port} 127.0.0.1\npersistence false\nmax_queued_messages 0\n"
            f"{who}{extra}\n"
        )
        self._process: subprocess.Popen[bytes] | None = None
        self.start()

    def start(self) -> None:
        self._process = subprocess.Popen(
            [self._program, "-c", str(self._config)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        end = time.monotonic() + 20
        while time.monotonic() < end:
            with (
                contextlib.suppress(OSError),
                socket.create_connection(("127.0.0.1", self.port), 1),
            ):
                return
            time.sleep(0.05)
        raise AssertionError("mosquitto did not start")

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


class Listener:
    """Keeps every message, in the order in which they came."""

    def __init__(self, port: int, topic: str = "#", **login: str) -> None:
        from paho.mqtt.client import Client
        from paho.mqtt.enums import CallbackAPIVersion

        self.messages: list[tuple[str, bytes, bool]] = []
        self._subscribed = threading.Event()
        self.client = Client(CallbackAPIVersion.VERSION2)
        self.client.reconnect_delay_set(1, 1)
        if login:
            self.client.username_pw_set(login["user"], login["password"])
        self.client.on_message = lambda _c, _d, m: self.messages.append(
            (m.topic, m.payload, m.retain)
        )
        self.client.on_connect = lambda client, *_: client.subscribe(topic, 1)
        self.client.on_subscribe = lambda *_: self._subscribed.set()
        self.client.connect("127.0.0.1", port)
        self.client.loop_start()
        assert self._subscribed.wait(20)

    def of(self, topic: str) -> list[bytes]:
        return [payload for name, payload, _ in self.messages if name == topic]

    def states(self, topic: str) -> list[dict[str, Any]]:
        return [json.loads(payload) for payload in self.of(f"{topic}/state")]

    def until(self, true: Callable[[], Any], seconds: float = 20.0) -> None:
        end = time.monotonic() + seconds
        while not true():
            assert time.monotonic() < end, self.messages[-5:]
            time.sleep(0.1)

    def close(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()


@contextlib.contextmanager
def broker(folder: Path, extra: str = "allow_anonymous true") -> Iterator[Mosquitto]:
    running = Mosquitto(folder, extra)
    try:
        yield running
    finally:
        running.kill()


@contextlib.contextmanager
def listening(port: int, topic: str = "#", **login: str) -> Iterator[Listener]:
    listener = Listener(port, topic, **login)
    try:
        yield listener
    finally:
        listener.close()


class Relay:
    """A way to a broker that can be shut, so that a test says who is back first."""

    def __init__(self, port: int) -> None:
        self.open = True
        self._target = port
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listening.getsockname()[1])
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._listening.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._listening.accept()
                try:
                    if not self.open:
                        raise OSError
                    far = socket.create_connection(("127.0.0.1", self._target), 2)
                except OSError:
                    near.close()
                    continue
                for a, b in ((near, far), (far, near)):
                    threading.Thread(target=self._pump, args=(a, b), daemon=True).start()

    def _pump(self, source: socket.socket, target: socket.socket) -> None:
        source.settimeout(None)
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                target.sendall(data)
        for end in (source, target):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)


@contextlib.contextmanager
def device(port: int, topic: str = TOPIC, **options: Any) -> Iterator[MqttOutput]:
    said: list[str] = options.pop("said", [])
    options = {"debounce_s": 0.0, "max_reconnect_s": 1, "temperature": lambda: 48.25, **options}
    output = MqttOutput(
        parse_broker(f"mqtt://127.0.0.1:{port}/{topic}"), None, LABELS, say=said.append, **options
    )
    try:
        yield output
    finally:
        output.close()
