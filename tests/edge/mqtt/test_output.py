"""MQTT against a real mosquitto: state, availability, a fleet, secrets, addresses."""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from made import LABELS

pytest.importorskip("paho.mqtt")

from mien.errors import UserError
from mien.mqtt.broker import parse_broker, read_password
from mien.mqtt.output import MqttOutput
from mien.sources.base import Change
from mien.sources.pausable import PauseSwitch
from mosquitto import TOPIC, Mosquitto, broker, device, listening, program
from visiting import face, seen


@pytest.fixture(scope="module")
def mosquitto(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mosquitto]:
    with broker(tmp_path_factory.mktemp("mosquitto")) as running:
        yield running


def test_state_availability_and_no_face(mosquitto: Mosquitto) -> None:
    with listening(mosquitto.port, f"{TOPIC}/#") as heard:
        with device(mosquitto.port) as output:
            heard.until(lambda: heard.states(TOPIC))
            first = heard.states(TOPIC)[0]
            assert (first["camera"], first["emotion"], first["count"]) == ("starting", "no face", 0)
            output.write(*seen(0, face("happy", id=3), face("sad", (150, 40, 60, 60), 2)))
            for index in range(1, 20):  # nothing new
                output.write(*seen(index, face("happy", id=3), face("sad", (150, 40, 60, 60), 2)))
            output.write(*seen(20))
            output.changed(Change("lost", 1.0, "gone"))
            output.changed(Change("back", 2.0, "there"))
            heard.until(lambda: len(heard.states(TOPIC)) >= 5)
        heard.until(lambda: heard.of(f"{TOPIC}/availability")[-1] == b"offline")
        states = [state for state in heard.states(TOPIC) if not state["repeated"]]
        assert [(s["camera"], s["emotion"], s["count"]) for s in states] == [
            ("running", "happy", 2),
            ("running", "no face", 0),
            ("lost", "no face", 0),
            ("running", "no face", 0),
        ]
        assert states[0]["confidence"] == 0.9
        assert states[0]["people"] == [
            {"id": 2, "emotion": "sad", "confidence": 0.9},
            {"id": 3, "emotion": "happy", "confidence": 0.9},
        ]
        assert states[1]["confidence"] is None
        assert states[0]["temperature"] == 48.2
        assert states[0]["switch"] == "ON"
        assert heard.of(f"{TOPIC}/availability") == [b"online", b"offline"]


def test_flicker_is_not_said_and_a_beat_is(mosquitto: Mosquitto) -> None:
    with (
        listening(mosquitto.port, "mien/flicker/#") as heard,
        device(mosquitto.port, "mien/flicker", debounce_s=0.3, repeat_s=0.4) as output,
    ):
        end = time.monotonic() + 0.8
        index = 0
        while time.monotonic() < end:
            index += 1
            # One flickers between two emotions, the other smiles on.
            emotion = "sad" if index % 4 == 0 else "neutral"
            output.write(*seen(index, face("happy", id=1), face(emotion, (150, 40, 60, 60), 2)))
            time.sleep(0.03)
        heard.until(lambda: sum(s["repeated"] for s in heard.states("mien/flicker")) >= 3)
        changes = [s for s in heard.states("mien/flicker") if not s["repeated"]]
    people = [[p["emotion"] for p in s["people"]] for s in changes]
    assert people[-1][0] == "happy"
    assert len(changes) <= 2
    beats = [s for s in heard.states("mien/flicker") if s["repeated"] and s["count"]]
    assert beats[-1]["fps"] > 5


def test_the_switch_pauses_and_resumes(mosquitto: Mosquitto) -> None:
    pause = PauseSwitch()
    topic = "mien/switched"
    with (
        listening(mosquitto.port, f"{topic}/#") as heard,
        device(mosquitto.port, topic, pause=pause) as output,
    ):
        heard.until(lambda: heard.states(topic))
        output.write(*seen(0, face()))
        heard.client.publish(f"{topic}/camera/set", b"OFF", qos=1)
        heard.until(lambda: heard.states(topic)[-1]["switch"] == "OFF")
        assert pause.paused
        assert heard.states(topic)[-1]["camera"] == "paused"
        assert heard.states(topic)[-1]["count"] == 0
        heard.client.publish(f"{topic}/camera/set", b"nonsense", qos=1)
        heard.client.publish(f"{topic}/camera/set", b"ON", qos=1)
        heard.until(lambda: heard.states(topic)[-1]["switch"] == "ON")
        assert not pause.paused


def test_a_killed_process_is_offline_by_its_last_will(mosquitto: Mosquitto, tmp_path: Path) -> None:
    code = (
        "import sys, time\n"
        "from mien.mqtt.broker import parse_broker\n"
        "from mien.mqtt.output import MqttOutput\n"
        "MqttOutput(parse_broker(sys.argv[1]), None, ('happy',))\n"
        "time.sleep(60)\n"
    )
    with listening(mosquitto.port, "mien/will/#") as heard:
        address = f"mqtt://127.0.0.1:{mosquitto.port}/mien/will"
        process = subprocess.Popen([sys.executable, "-c", code, address])
        try:
            heard.until(lambda: heard.of("mien/will/availability") == [b"online"], 40)
        finally:
            process.kill()
            process.wait()
        heard.until(lambda: heard.of("mien/will/availability") == [b"online", b"offline"])
    with listening(mosquitto.port, "mien/will/#") as late:
        late.until(lambda: ("mien/will/availability", b"offline", True) in late.messages)


def test_fifty_devices_and_every_message(mosquitto: Mosquitto) -> None:
    devices, changes = 50, 10
    with listening(mosquitto.port, "fleet/#") as heard, contextlib.ExitStack() as stack:
        fleet = [
            stack.enter_context(device(mosquitto.port, f"fleet/{number}"))
            for number in range(devices)
        ]
        for index in range(changes):
            for number, output in enumerate(fleet):
                output.write(*seen(index, face(LABELS[(index + number) % 7])))
        heard.until(
            lambda: sum(b'"repeated": false' in m[1] for m in heard.messages) >= devices * changes,
            60,
        )
        count: Counter[str] = Counter()
        for number in range(devices):
            said = [s for s in heard.states(f"fleet/{number}") if not s["repeated"]]
            count["changes"] += len(said)
            expected = [LABELS[(index + number) % 7] for index in range(changes)]
            assert [state["emotion"] for state in said] == expected
            count["online"] += heard.of(f"fleet/{number}/availability") == [b"online"]
    assert count == {"changes": devices * changes, "online": devices}


def test_a_wrong_password_is_said_and_no_secret_is(tmp_path: Path) -> None:
    passwords = tmp_path / "passwords"
    made = subprocess.run(
        [program("mosquitto_passwd"), "-b", "-c", str(passwords), "pi", "right-secret"],
        capture_output=True,
    )
    assert made.returncode == 0
    passwords.chmod(0o644)
    extra = f"allow_anonymous false\npassword_file {passwords}"
    with broker(tmp_path, extra) as mosquitto:
        address = parse_broker(f"mqtt://pi@127.0.0.1:{mosquitto.port}/mien/locked")
        said: list[str] = []
        refused = MqttOutput(address, "wrong-secret", LABELS, say=said.append, max_reconnect_s=1)
        deadline = time.monotonic() + 20
        while not said and time.monotonic() < deadline:
            time.sleep(0.05)
        refused.close()
        assert said == [
            f"the MQTT broker at 127.0.0.1:{mosquitto.port} refuses the user name or password; "
            "trying again."
        ]
        output = MqttOutput(address, "right-secret", LABELS, say=said.append, max_reconnect_s=1)
        with listening(mosquitto.port, "mien/#", user="pi", password="right-secret") as heard:
            heard.until(lambda: heard.of("mien/locked/availability") == [b"online"])
        output.close()
        assert "secret" not in " ".join(said) + repr(address) + repr(vars(output))


def test_an_encrypted_connection_is_checked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if shutil.which("openssl") is None:
        pytest.skip("there is no openssl")
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2"
    names = "-subj /CN=localhost -addext subjectAltName=DNS:localhost"
    made = subprocess.run(
        f"{command} {names} -keyout key.pem -out cert.pem".split(),
        cwd=tmp_path,
        capture_output=True,
    )
    assert made.returncode == 0, made.stderr
    extra = f"allow_anonymous true\ncertfile {tmp_path}/cert.pem\nkeyfile {tmp_path}/key.pem"
    with broker(tmp_path, extra) as mosquitto:
        address = parse_broker(f"mqtts://localhost:{mosquitto.port}/mien/tls")
        said: list[str] = []
        stranger = MqttOutput(address, None, LABELS, say=said.append, max_reconnect_s=1)
        deadline = time.monotonic() + 20
        while not said and time.monotonic() < deadline:
            time.sleep(0.05)
        # Nobody vouches for this certificate.
        assert "has a certificate that is not trusted" in said[0]
        assert said[0].endswith("trying again.")
        assert not stranger.connected
        stranger.close()
        said.clear()
        plain = parse_broker(f"mqtt://localhost:{mosquitto.port}/mien/tls")
        with contextlib.closing(MqttOutput(plain, None, LABELS, say=said.append)):
            wait_for(said)
        assert "it may expect mqtts://" in said[0]
        said.clear()
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "cert.pem"))
        known = MqttOutput(address, None, LABELS, say=said.append, max_reconnect_s=1)
        deadline = time.monotonic() + 20
        while not known.connected and time.monotonic() < deadline:
            time.sleep(0.05)
        assert known.connected
        known.close()


def wait_for(said: list[str]) -> None:
    deadline = time.monotonic() + 20
    while not said and time.monotonic() < deadline:
        time.sleep(0.05)


def test_why_a_broker_cannot_be_reached(mosquitto: Mosquitto) -> None:
    with socket.create_server(("127.0.0.1", 0)) as unused:
        free = unused.getsockname()[1]
    for address, words in (
        (f"mqtt://127.0.0.1:{free}/a", "refuses connections on this port"),
        ("mqtt://no-such-host.invalid/a", "has a host name that is not known"),
        (f"mqtts://127.0.0.1:{mosquitto.port}/a", "does not agree on encryption"),
    ):
        said: list[str] = []
        with contextlib.closing(MqttOutput(parse_broker(address), None, LABELS, say=said.append)):
            wait_for(said)
        assert len(said) == 1
        assert words in said[0]


def test_two_runs_on_one_topic_are_said_once_to_each(mosquitto: Mosquitto) -> None:
    first: list[str] = []
    second: list[str] = []
    with (
        listening(mosquitto.port, "mien/twice/#") as heard,
        device(mosquitto.port, "mien/twice", said=first) as one,
    ):
        heard.until(lambda: heard.states("mien/twice"))
        with device(mosquitto.port, "mien/twice", said=second) as two:
            heard.until(lambda: first and second)
            time.sleep(0.5)  # nobody takes the other's connection away
            assert one.connected
            assert two.connected
        # The one that goes on is online, though the other has said offline.
        heard.until(lambda: heard.of("mien/twice/availability")[-2:] == [b"offline", b"online"])
    for said in (first, second):
        assert [sentence for sentence in said if "another run" in sentence] == said
        assert len(said) == 1
    assert "mien/twice" in first[0]


def test_a_run_alone_never_meets_itself(mosquitto: Mosquitto) -> None:
    said: list[str] = []
    for _ in range(2):  # also not what it left behind
        with (
            listening(mosquitto.port, "mien/alone/#") as heard,
            device(mosquitto.port, "mien/alone", said=said),
        ):
            heard.until(lambda: heard.of("mien/alone/run"))
            time.sleep(0.3)
    assert said == []


class FloodingBroker:
    """Accepts a client, then sends it messages without end and reads nothing more."""

    def __init__(self, topic: str, payload: bytes) -> None:
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listening.getsockname()[1])
        name = topic.encode()
        body = len(name).to_bytes(2, "big") + name + payload
        self._message = bytes([0x30, len(body)]) + body
        self.flooding = threading.Event()
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        client, _ = self._listening.accept()
        with contextlib.suppress(OSError):
            client.recv(4096)
            client.sendall(b"\x20\x02\x00\x00")  # CONNACK
            client.recv(4096)
            while True:
                client.sendall(self._message * 2000)
                self.flooding.set()

    def close(self) -> None:
        self._listening.close()


@pytest.mark.parametrize(
    ("topic", "payload"), [("mien/flood/camera/set", b"ON"), ("homeassistant/status", b"online")]
)
def test_a_broker_that_floods_does_not_hold_up_the_end(topic: str, payload: bytes) -> None:
    with contextlib.closing(FloodingBroker(topic, payload)) as flood:
        address = parse_broker(f"mqtt://127.0.0.1:{flood.port}/mien/flood")
        output = MqttOutput(address, None, LABELS, PauseSwitch(), say=lambda sentence: None)
        assert flood.flooding.wait(20)
        time.sleep(2)  # answers to it pile up
        closing = threading.Thread(target=output.close)
        closing.start()
        closing.join(5.0)
        assert not closing.is_alive()


def test_addresses() -> None:
    plain = parse_broker("mqtt://broker.local")
    assert (plain.port, plain.tls, plain.user) == (1883, False, None)
    assert plain.topic.startswith("mien/")
    full = parse_broker("mqtts://pi@[::1]:8884/home/kitchen/")
    assert (full.host, full.port, full.tls) == ("::1", 8884, True)
    assert (full.user, full.topic, full.identity) == ("pi", "home/kitchen", "home_kitchen")
    with pytest.raises(UserError, match="MIEN_MQTT_PASSWORD") as caught:
        parse_broker("mqtt://pi:hunter22@broker.local/mien")
    assert "hunter22" not in str(caught.value)
    for text in ("broker.local", "http://broker", "mqtt://", "mqtt://b:99999", "mqtt://b:x/"):
        with pytest.raises(UserError, match=r"mqtt://broker\.local/mien/kitchen"):
            parse_broker(text)
    for text in ("mqtt://b/a/+/c", "mqtt://b/a//c", "mqtt://b/a%23"):
        with pytest.raises(UserError, match="topic"):
            parse_broker(text)


def test_the_password_comes_from_a_file_or_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MIEN_MQTT_PASSWORD", raising=False)
    assert read_password(None) is None
    monkeypatch.setenv("MIEN_MQTT_PASSWORD", "of the environment")
    assert read_password(None) == "of the environment"
    file = tmp_path / "password"
    with pytest.raises(UserError, match="cannot be read"):
        read_password(file)
    file.write_text("\n")
    with pytest.raises(UserError, match="empty"):
        read_password(file)
    file.write_text("of the file\n")
    assert read_password(file) == "of the file"
