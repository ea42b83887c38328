"""Home Assistant's discovery: only documented fields, and templates that read the state."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from made import LABELS

pytest.importorskip("paho.mqtt")

from mosquitto import Mosquitto, broker, device, listening
from visiting import face, seen


@pytest.fixture(scope="module")
def mosquitto(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mosquitto]:
    with broker(tmp_path_factory.mktemp("mosquitto")) as running:
        yield running


# What Home Assistant documents for device-based discovery, for an MQTT sensor and an MQTT switch:
# home-assistant.io/integrations/mqtt, /sensor.mqtt and /switch.mqtt.
ROOT = (
    {"device", "origin", "components", "state_topic", "command_topic", "qos", "encoding"}
    | {f"{name}" for name in ("availability", "availability_mode", "availability_topic")}
    | {"availability_template", "payload_available", "payload_not_available"}
)
DEVICE = {"configuration_url", "connections", "hw_version", "identifiers", "manufacturer"} | {
    "model",
    "model_id",
    "name",
    "serial_number",
    "suggested_area",
    "sw_version",
    "via_device",
}
ORIGIN = {"name", "sw_version", "support_url"}
ENTITY = {"platform", "unique_id", "name", "icon", "entity_category", "enabled_by_default"} | {
    "value_template",
    "device_class",
    "qos",
    "encoding",
    "json_attributes_topic",
    "json_attributes_template",
    "default_entity_id",
    "entity_picture",
    "state_topic",
}
SENSOR = (
    ENTITY
    | {"expire_after", "force_update", "last_reset_value_template", "options"}
    | {"state_class", "suggested_display_precision", "unit_of_measurement"}
)
SWITCH = (
    ENTITY
    | {"command_topic", "command_template", "optimistic", "payload_on"}
    | {"payload_off", "retain", "state_on", "state_off"}
)


def test_discovery_holds_what_home_assistant_documents(mosquitto: Mosquitto) -> None:
    with device(mosquitto.port, "mien/hall") as output, listening(mosquitto.port) as heard:
        topic = "homeassistant/device/mien_hall/config"
        heard.until(lambda: heard.of(topic))
        config = json.loads(heard.of(topic)[0])
        with listening(mosquitto.port, topic) as late:  # who comes later still hears it: retained
            late.until(lambda: late.messages)
            assert late.messages == [(topic, heard.of(topic)[0], True)]
        # Home Assistant has started anew.
        before, count = len(heard.of(topic)), len(heard.states("mien/hall"))
        heard.client.publish("homeassistant/status", b"online", qos=1)
        heard.until(lambda: len(heard.of(topic)) > before)
        heard.until(lambda: len(heard.states("mien/hall")) > count)
        assert output.dropped == 0
    assert set(config) <= ROOT
    assert {"device", "origin", "components"} <= set(config)
    assert set(config["device"]) <= DEVICE
    assert config["device"]["identifiers"] == ["mien_hall"]
    assert config["device"]["name"] == "Mien hall"
    assert set(config["origin"]) <= ORIGIN
    assert config["origin"]["name"]
    ids = [component["unique_id"] for component in config["components"].values()]
    assert len(set(ids)) == len(ids) == 11
    for component in config["components"].values():
        allowed = {"sensor": SENSOR, "switch": SWITCH}[component["platform"]]
        assert set(component) <= allowed, component["name"]
        assert "state_topic" in config  # which a sensor requires
        if component["platform"] == "switch":
            assert component["command_topic"] == "mien/hall/camera/set"
        if component.get("device_class") == "enum":
            assert component["options"]
            assert not {"state_class", "unit_of_measurement"} & set(component)
        if component.get("device_class") == "temperature":
            assert component["unit_of_measurement"] == "°C"
    options = config["components"]["emotion"]["options"]
    assert options == [*LABELS, "uncertain", "no face"]


def test_the_templates_read_the_state(mosquitto: Mosquitto) -> None:
    jinja2 = pytest.importorskip("jinja2")
    with (
        listening(mosquitto.port, "#") as heard,
        device(mosquitto.port, "mien/templates") as output,
    ):
        output.write(*seen(0, face("sad", id=7)))
        heard.until(
            lambda: (
                heard.states("mien/templates")[-1:]
                and heard.states("mien/templates")[-1]["count"] == 1
            )
        )
        state = heard.states("mien/templates")[-1]
        config = json.loads(heard.of("homeassistant/device/mien_templates/config")[-1])
    read = {
        key: jinja2.Template(component["value_template"]).render(value_json=state)
        for key, component in config["components"].items()
    }
    assert read["emotion"] == read["person_1"] == "sad"
    assert read["person_2"] == "no face"
    assert read["count"] == "1"
    assert float(read["confidence"]) == 90
    assert read["camera"] == "ON"
    assert float(read["temperature"]) == 48.2
