"""MQTT output: publishes the state on change and every 30 s, from its own thread."""

from __future__ import annotations

import importlib.util
import secrets
import ssl
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from mien.board import board_name, cpu_temperature
from mien.errors import UserError
from mien.log import LogEvent
from mien.mqtt.broker import Broker
from mien.mqtt.discovery import HA_STATUS_TOPIC, discovery, discovery_topic
from mien.mqtt.failures import AWAY, GONE, SILENT, why_unreachable
from mien.mqtt.state import DEBOUNCE_S, StateTracker, camera_state
from mien.pipeline.results import FrameResult
from mien.sources.base import Change, Frame, Say
from mien.sources.pausable import PauseSwitch

REPEAT_INTERVAL_S = 30.0  # s between two states where nothing changes
MAX_QUEUED = 1000  # changes kept while the broker is away; some 500 KB
MIN_RECONNECT_S = 1  # s until the first attempt to connect again
MAX_RECONNECT_S = 15  # s between two attempts, reached by doubling
CLOSE_TIMEOUT_S = 2.0  # s for the last words at the end
TEMPERATURE_INTERVAL_S = 10.0  # s between two looks at the board's temperature
HA_INTERVAL_S = 5.0  # s between two answers to Home Assistant's start
OWN_TOPICS = ("camera/set", "availability", "run")
BAD_CREDENTIALS = "refuses the user name or password"


def check_installed() -> None:
    """Raise UserError where the extra is missing."""
    if importlib.util.find_spec("paho") is None:
        raise UserError(
            "--mqtt needs the package paho-mqtt; install it with "
            f"`{sys.executable} -m pip install 'paho-mqtt>=2'`."
        )


class MqttOutput:
    """Publishes the state under the broker's topic; see docs/home-assistant.md.

    A broker that is away is tried again and again, and every change meanwhile is kept, in a queue
    that ends somewhere. `write` never waits for the network. Raises UserError in the constructor
    where the extra is missing.
    """

    def __init__(
        self,
        broker: Broker,
        password: str | None,
        labels: Sequence[str],
        pause: PauseSwitch | None = None,
        say: Say = print,
        debounce_s: float = DEBOUNCE_S,
        repeat_s: float = REPEAT_INTERVAL_S,
        max_queued: int = MAX_QUEUED,
        max_reconnect_s: int = MAX_RECONNECT_S,
        temperature: Callable[[], float | None] = cpu_temperature,
        alertness: bool = False,
    ) -> None:
        check_installed()
        self.broker = broker
        self.dropped = 0  # changes that no longer fitted into the queue
        self._pause = pause
        self._say = say
        self._repeat_s = repeat_s
        self._read_temperature = temperature
        self._temperature: tuple[float, float | None] = (-TEMPERATURE_INTERVAL_S, None)
        self._tracker = StateTracker(debounce_s)
        self._lock = threading.Lock()  # of the watcher and the queue
        self._queue: deque[bytes] = deque()
        self._max_queued = max_queued
        self._work = threading.Event()
        self._connected = threading.Event()
        self._arrival = threading.Condition()
        self._arrived: set[int] = set()  # numbers of messages that the broker has
        self._closing = False
        self._run_id = secrets.token_hex(4)
        self._met = False  # whether another run under this topic was reported
        self._ha_answered = float("-inf")  # s of time.monotonic(), of Home Assistant's last start
        self._trouble_reported: str | None = None  # the last trouble said, so that it is said once
        self._discovery = discovery(broker, labels, board_name(), alertness)
        self._client = self._make_client(password, max_reconnect_s)
        self._worker = threading.Thread(target=self._publish, name="mien-mqtt", daemon=True)
        self._client.connect_async(broker.host, broker.port, keepalive=30)
        self._client.loop_start()
        self._worker.start()

    @property
    def connected(self) -> bool:
        """Whether the broker has us."""
        return self._connected.is_set()

    def write(self, frame: Frame, result: FrameResult) -> None:
        """Take a frame in; a change goes into the queue."""
        with self._lock:
            if self._tracker.update(result, time.monotonic()):
                self._enqueue(repeated=False)

    def changed(self, change: Change) -> None:
        """Say that the camera was lost, or is back."""
        self._camera(camera_state(change))

    def close(self) -> None:
        """Send what waits, say "offline" and leave."""
        self._closing = True
        self._work.set()
        self._worker.join(CLOSE_TIMEOUT_S)
        # A broker that has not taken the queue within that time will not take this either.
        patience = 0.2 if self._worker.is_alive() else CLOSE_TIMEOUT_S / 2
        if self._connected.is_set():
            sent = self._client.publish(
                f"{self.broker.topic}/availability", b"offline", qos=1, retain=True
            ).mid
            with self._arrival:
                self._arrival.wait_for(lambda: sent in self._arrived, patience)
        self._client.disconnect()
        # paho's thread ends once it has read what has come. A broker that floods never lets it.
        stopping = threading.Thread(target=self._client.loop_stop, daemon=True)
        stopping.start()
        stopping.join(patience)

    def _make_client(self, password: str | None, max_reconnect_s: int) -> Any:
        from mien.mqtt.client import ReportingClient

        broker = self.broker
        # Not the topic alone: a second run with it would take this one's connection away.
        client = ReportingClient(f"mien-{broker.identity}"[:55] + f"-{self._run_id}")
        if broker.user is not None or password is not None:
            client.username_pw_set(broker.user or "", password)
        if broker.tls:
            client.tls_set_context(ssl.create_default_context())
        client.reconnect_delay_set(MIN_RECONNECT_S, max_reconnect_s)
        client.will_set(f"{broker.topic}/availability", b"offline", qos=1, retain=True)
        client.on_connect = self._on_connect
        client.on_connect_fail = self._on_connect_fail
        client.on_disconnect = self._on_disconnect
        client.on_message = self._on_message
        client.on_publish = self._on_publish
        return client

    def _on_connect(self, client: Any, _data: Any, _flags: Any, reason: Any, _props: Any) -> None:
        if reason.is_failure:
            words = BAD_CREDENTIALS if reason.value in (134, 135) else f"refuses us ({reason})"
            self._report_trouble(words)
            return
        topics = [*(f"{self.broker.topic}/{name}" for name in OWN_TOPICS), HA_STATUS_TOPIC]
        client.subscribe([(topic, 1) for topic in topics])
        self._introduce(client)
        client.publish(f"{self.broker.topic}/run", self._run_id, qos=1)
        if self._trouble_reported is not None:
            self._report("answers again.", "broker-back")
            self._trouble_reported = None
        with self._lock:
            if not self._queue:  # a broker that was started anew has forgotten the state
                self._enqueue(repeated=True)
        self._connected.set()
        self._work.set()

    def _introduce(self, client: Any) -> None:
        client.publish(discovery_topic(self.broker), self._discovery, qos=1, retain=True)
        client.publish(f"{self.broker.topic}/availability", b"online", qos=1, retain=True)

    def _on_connect_fail(self, client: Any, _data: Any) -> None:
        self._report_trouble(why_unreachable(client.failure, self.broker))

    def _on_disconnect(
        self, _client: Any, _data: Any, _flags: Any, reason: Any, _props: Any
    ) -> None:
        answered = self._connected.is_set()
        self._connected.clear()
        if not self._closing and reason.is_failure:
            self._report_trouble(GONE if answered else SILENT)

    def _on_message(self, client: Any, _data: Any, message: Any) -> None:
        if message.topic == HA_STATUS_TOPIC:
            now = time.monotonic()
            # Home Assistant has started. A broker that floods would be answered without end.
            if message.payload == b"online" and now - self._ha_answered >= HA_INTERVAL_S:
                self._ha_answered = now
                self._introduce(client)
                with self._lock:
                    self._enqueue(repeated=True)
            return
        if message.retain:
            return
        if message.topic == f"{self.broker.topic}/run":
            self._meet(client, message.payload.decode("ascii", "replace"))
            return
        if message.topic == f"{self.broker.topic}/availability":
            # The last will of this run's connection before, or of another run.
            if message.payload == b"offline" and not self._closing:
                client.publish(message.topic, b"online", qos=1, retain=True)
            return
        if self._pause is None or message.payload not in (b"ON", b"OFF"):
            return
        paused = message.payload == b"OFF"
        self._pause.set(paused)
        self._camera("paused" if paused else "running")

    def _meet(self, client: Any, run_id: str) -> None:
        """Report another run that publishes under the same topic, once, and let it know too."""
        if run_id == self._run_id or self._met:
            return
        self._met = True
        client.publish(f"{self.broker.topic}/run", self._run_id, qos=1)
        self._say(
            LogEvent(
                f"another run of Mien publishes under {self.broker.topic} as well; give each its "
                "own topic in --mqtt.",
                "topic-shared",
                topic=self.broker.topic,
            )
        )

    def _camera(self, state: str) -> None:
        with self._lock:
            if self._tracker.camera(state):
                self._enqueue(repeated=False)

    def _report_trouble(self, words: str) -> None:
        # A broker that has gone cannot be reached either, in one way or another: one trouble.
        known = self._trouble_reported
        if known is None or (words != known and words not in AWAY):
            self._trouble_reported = words
            self._report(f"{words}; trying again.", "broker-lost")

    def _report(self, words: str, event: str) -> None:
        shown = self.broker.shown
        self._say(LogEvent(f"the MQTT broker at {shown} {words}", event, broker=shown))

    def _enqueue(self, repeated: bool) -> None:
        """Put the state into the queue, with the lock held; the oldest goes where it is full."""
        now = time.monotonic()
        if now - self._temperature[0] >= TEMPERATURE_INTERVAL_S:
            self._temperature = (now, self._read_temperature())
        self._queue.append(self._tracker.message(now, self._temperature[1], repeated))
        if len(self._queue) > self._max_queued:
            self._queue.popleft()
            self.dropped += 1
            if self.dropped == 1:
                self._say(
                    f"more than {self._max_queued} changes wait for the MQTT broker; "
                    "the oldest are dropped."
                )
        self._work.set()

    def _publish(self) -> None:
        """Send the queue, one message after the other; the worker's thread."""
        topic = f"{self.broker.topic}/state"
        last = time.monotonic()
        while True:
            self._work.wait(max(0.0, last + self._repeat_s - time.monotonic()))
            self._work.clear()
            if not self._connected.is_set():
                if self._closing:
                    return
                self._connected.wait(1.0)
                if not self._connected.is_set():
                    self._work.clear()
                    continue
            due = time.monotonic() - last >= self._repeat_s
            if due and not self._queue and not self._closing:
                with self._lock:
                    self._enqueue(repeated=True)
            while self._queue and self._connected.is_set():
                payload = self._queue[0]
                if not self._deliver(topic, payload):
                    return
                with self._lock:
                    if self._queue and self._queue[0] is payload:
                        self._queue.popleft()
                last = time.monotonic()
            if self._closing and not self._queue:
                return

    def _deliver(self, topic: str, payload: bytes) -> bool:
        """Publish and wait until the broker has it; False where the end comes first."""
        sent = self._client.publish(topic, payload, qos=1, retain=True).mid
        # Where the connection breaks the client sends it again by itself after the next.
        with self._arrival:
            while sent not in self._arrived:
                if self._closing and not self._connected.is_set():
                    return False
                self._arrival.wait(0.2)
            self._arrived.clear()
        return True

    def _on_publish(self, _client: Any, _data: Any, number: int, _code: Any, _props: Any) -> None:
        with self._arrival:
            self._arrived.add(number)
            self._arrival.notify()
