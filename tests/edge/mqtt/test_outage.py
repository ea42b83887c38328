"""A broker that is away: a real mosquitto killed for half a minute, and a queue that ends."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path
from typing import Any

import pytest
from made import LABELS

pytest.importorskip("paho.mqtt")

from mien.mqtt.output import MAX_RECONNECT_S, REPEAT_INTERVAL_S, MqttOutput
from mien.mqtt.state import DEBOUNCE_S
from mien.sources.base import Change
from mosquitto import TOPIC, Relay, broker, device, listening
from visiting import face, seen

OUTAGE_S = 30.0


def test_thirty_seconds_without_the_broker_lose_nothing(tmp_path: Path) -> None:
    """With the product's own times: settling, beat, and growing times between attempts."""
    said: list[str] = []
    expected: list[tuple[str, str]] = []
    index = 0
    usual = {
        "debounce_s": DEBOUNCE_S,
        "repeat_s": REPEAT_INTERVAL_S,
        "max_reconnect_s": MAX_RECONNECT_S,
        "said": said,
    }

    def smile(output: MqttOutput, emotion: str) -> None:
        """Ten frames of a second; however slow the machine, the emotion lasts long enough."""
        nonlocal index
        for _ in range(10):
            output.write(*seen(index, face(emotion)))
            index += 1
            time.sleep(0.1)
        expected.append(("running", emotion))

    with (
        broker(tmp_path) as mosquitto,
        contextlib.closing(Relay(mosquitto.port)) as relay,
        device(relay.port, **usual) as output,
    ):
        with listening(mosquitto.port, f"{TOPIC}/#") as before:
            output.write(*seen(index))
            expected.append(("running", "no face"))
            before.until(lambda: len(changed(before.states(TOPIC))) == 1)
            for number in range(3):
                smile(output, LABELS[number])
            before.until(lambda: len(changed(before.states(TOPIC))) == len(expected))
        relay.open = False
        mosquitto.kill()
        away = time.monotonic()
        number = 3
        while time.monotonic() - away < OUTAGE_S:
            smile(output, LABELS[number % len(LABELS)])
            number += 1
            if number == 15:  # other events are none the less
                output.changed(Change("lost", 15.0, "gone"))
                output.changed(Change("back", 16.0, "there"))
                expected.extend([("lost", "no face"), ("running", "no face")])
        mosquitto.start()
        with listening(mosquitto.port, "#") as after:
            relay.open = True
            smile(output, LABELS[number % len(LABELS)])
            after.until(
                lambda: len(changed(before.states(TOPIC) + after.states(TOPIC))) >= len(expected),
                MAX_RECONNECT_S + 20,  # to the next attempt, and some patience
            )
            # A broker that has forgotten everything is told everything.
            assert after.of(f"{TOPIC}/availability") == [b"online"]
            assert after.of("homeassistant/device/mien_kitchen/config")
            states = before.states(TOPIC) + after.states(TOPIC)
    # Each change, in the order in which it was; none twice, but for one that the broker had and
    # could not confirm.
    assert list(changed(states).values()) == expected
    assert [s["number"] for s in after.states(TOPIC)] == sorted(
        s["number"] for s in after.states(TOPIC)
    )
    assert len([s for s in states if not s["repeated"]]) <= len(expected) + 1
    assert output.dropped == 0
    assert len(said) == 2
    assert "trying again" in said[0]
    assert "answers again" in said[1]


def changed(states: list[dict[str, Any]]) -> dict[int, tuple[str, str]]:
    """Return what was said for a reason, by its number, in the order of arrival."""
    return {s["number"]: (s["camera"], s["emotion"]) for s in states if not s["repeated"]}


def test_a_queue_has_an_end(tmp_path: Path) -> None:
    said: list[str] = []
    with broker(tmp_path) as mosquitto:
        mosquitto.kill()
        with device(mosquitto.port, said=said, max_queued=10) as output:
            start = time.monotonic()
            for index in range(100):
                output.write(*seen(index, face(LABELS[index % 7])))
            assert time.monotonic() - start < 5
            assert output.dropped == 90
            mosquitto.start()
            with listening(mosquitto.port, f"{TOPIC}/#") as heard:
                heard.until(lambda: heard.states(TOPIC))
                heard.until(lambda: heard.states(TOPIC)[-1]["emotion"] == LABELS[99 % 7])
    assert len([sentence for sentence in said if "dropped" in sentence]) == 1
