"""Home Assistant's discovery: one retained message, after which the device appears by itself.

Device-based discovery, Home Assistant 2024.11 and later:
https://www.home-assistant.io/integrations/mqtt/#device-discovery-payload
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from mien.alertness.signals import EVENTS
from mien.classification.prediction import UNCERTAIN
from mien.mqtt.broker import Broker
from mien.mqtt.state import MAX_PEOPLE, NO_FACE

DISCOVERY_PREFIX = "homeassistant"
ALERT_NAMES = {"perclos": "PERCLOS high"}
HA_STATUS_TOPIC = (
    f"{DISCOVERY_PREFIX}/status"  # Home Assistant says "online" there once it has started
)


def discovery_topic(broker: Broker) -> str:
    """Return where the message belongs."""
    return f"{DISCOVERY_PREFIX}/device/{_id(broker)}/config"


def discovery(
    broker: Broker, labels: Sequence[str], board: str | None = None, alertness: bool = False
) -> bytes:
    """Return the message: sensors for what is read, for rate and temperature, and a switch.

    `labels` are the model's, `board` the machine's name where it is known. `alertness` adds a
    binary sensor for each of its events, and a sensor for PERCLOS.
    """
    own = _id(broker)
    emotions = [*labels, UNCERTAIN, NO_FACE]

    def sensor(key: str, name: str, template: str, **fields: Any) -> dict[str, Any]:
        return {
            "platform": "sensor",
            "unique_id": f"{own}_{key}",
            "name": name,
            "value_template": template,
            **fields,
        }

    number = {"state_class": "measurement"}
    detail = {"entity_category": "diagnostic"}
    components = {
        "emotion": sensor(
            "emotion",
            "Emotion",
            "{{ value_json.emotion }}",
            device_class="enum",
            options=emotions,
            icon="mdi:emoticon-outline",
        ),
        "confidence": sensor(
            "confidence",
            "Confidence",
            "{{ none if value_json.confidence is none else 100 * value_json.confidence }}",
            unit_of_measurement="%",
            suggested_display_precision=0,
            icon="mdi:percent",
            **number,
        ),
        "count": sensor(
            "count", "People", "{{ value_json.count }}", icon="mdi:account-group", **number
        ),
        "fps": sensor(
            "fps",
            "Frame rate",
            "{{ value_json.fps }}",
            unit_of_measurement="fps",
            icon="mdi:speedometer",
            **number,
            **detail,
        ),
        "temperature": sensor(
            "temperature",
            "Temperature",
            "{{ value_json.temperature }}",
            device_class="temperature",
            unit_of_measurement="°C",
            **number,
            **detail,
        ),
        "state": sensor(
            "state",
            "Camera state",
            "{{ value_json.camera }}",
            device_class="enum",
            options=["starting", "running", "lost", "paused"],
            **detail,
        ),
        "camera": {
            "platform": "switch",
            "unique_id": f"{own}_camera",
            "name": "Camera",
            "command_topic": f"{broker.topic}/camera/set",
            "value_template": "{{ value_json.switch }}",
            "payload_on": "ON",
            "payload_off": "OFF",
            "icon": "mdi:cctv",
        },
    }
    for index in range(MAX_PEOPLE):
        there = f"value_json.people | count > {index}"
        components[f"person_{index + 1}"] = sensor(
            f"person_{index + 1}",
            f"Person {index + 1}",
            f"{{{{ value_json.people[{index}].emotion if {there} else '{NO_FACE}' }}}}",
            device_class="enum",
            options=emotions,
            icon="mdi:account",
            json_attributes_topic=f"{broker.topic}/state",
            json_attributes_template=(
                f"{{{{ (value_json.people[{index}] if {there} else {{}}) | tojson }}}}"
            ),
        )
    if alertness:
        components["perclos"] = sensor(
            "perclos",
            "PERCLOS",
            "{{ none if value_json.perclos is none else 100 * value_json.perclos }}",
            unit_of_measurement="%",
            suggested_display_precision=1,
            icon="mdi:eye-off-outline",
            **number,
        )
        for kind in EVENTS:
            components[f"alert_{kind}"] = {
                "platform": "binary_sensor",
                "unique_id": f"{own}_alert_{kind}",
                "name": ALERT_NAMES.get(kind, kind.replace("_", " ").capitalize()),
                "device_class": "problem",
                "value_template": f"{{{{ 'ON' if '{kind}' in value_json.alerts else 'OFF' }}}}",
            }
    device = {
        "identifiers": [own],
        "name": f"Mien {broker.topic.rsplit('/', 1)[-1]}",
        "manufacturer": "Mien",
        "model": board or "Mien",
        "sw_version": _version(),
    }
    return json.dumps(
        {
            "device": device,
            "origin": {"name": "mien", "sw_version": _version()},
            "components": components,
            "state_topic": f"{broker.topic}/state",
            "availability_topic": f"{broker.topic}/availability",
            "payload_available": "online",
            "payload_not_available": "offline",
            "qos": 1,
        },
        ensure_ascii=False,
    ).encode()


def _id(broker: Broker) -> str:
    return broker.identity if broker.identity.startswith("mien") else f"mien_{broker.identity}"


def _version() -> str:
    try:
        return version("mien")
    except PackageNotFoundError:  # run from its sources
        return "0"
