"""Alertness in JSON, CSV, reactions, MQTT and the page."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import pytest
from mien.alertness.signals import EVENTS, HIDDEN, Alertness, AlertnessEvent
from mien.errors import UserError
from mien.mqtt.broker import parse_broker
from mien.mqtt.discovery import discovery
from mien.mqtt.state import StateTracker
from mien.outputs.csv import CsvOutput
from mien.outputs.jsonl import record
from mien.pipeline.results import FrameResult
from mien.reactions.matcher import RuleMatcher
from mien.reactions.rules import parse_rule
from mien.web.state import PageState
from results import LABELS, frame, result

ASLEEP = Alertness(
    left_eye=0.01,
    right_eye=0.03,
    blinks=12.0,
    perclos=0.2,
    yawn=False,
    head="ahead",
    looking=False,
    active=("long_blink", "perclos", "microsleep"),
    events=(AlertnessEvent("microsleep", 8.0, 7.0),),
)
HIDDEN_EYES = Alertness(head="ahead", looking=True, yawn=False, reasons={"eyes": HIDDEN})


def told(alertness: Alertness | None, time: float = 8.0) -> FrameResult:
    plain = result(0, time, 0.9)
    return replace(plain, faces=(replace(plain.faces[0], id=1, alertness=alertness),))


def test_json_lines_have_the_signals_of_each_face() -> None:
    face = record(frame(0, 8.0), told(ASLEEP))["faces"][0]
    assert face["alertness"]["eyes"] == {"left": 0.01, "right": 0.03}
    assert face["alertness"]["events"] == [{"kind": "microsleep", "since": 7.0}]
    hidden = record(frame(0, 8.0), told(HIDDEN_EYES))["faces"][0]["alertness"]
    assert (hidden["eyes"], hidden["why"]) == (None, {"eyes": HIDDEN})
    assert "alertness" not in record(frame(0, 8.0), told(None))["faces"][0]


def test_csv_has_columns_of_alertness_only_where_asked_for(tmp_path: Path) -> None:
    plain = CsvOutput(tmp_path / "plain.csv", LABELS)
    plain.write(frame(0, 8.0), told(ASLEEP))
    plain.close()
    assert "perclos" not in (tmp_path / "plain.csv").read_text()
    output = CsvOutput(tmp_path / "eyes.csv", LABELS, alertness=True)
    for alertness in (ASLEEP, HIDDEN_EYES, None):
        output.write(frame(0, 8.0), told(alertness))
    output.close()
    asleep, hidden, none = csv.DictReader((tmp_path / "eyes.csv").open())
    assert (asleep["left_eye"], asleep["perclos"], asleep["looking"]) == ("0.010", "0.2000", "0")
    assert asleep["active"] == "long_blink perclos microsleep"
    assert (hidden["left_eye"], hidden["why"]) == ("", f"eyes: {HIDDEN}")
    assert none["head"] == ""


@pytest.mark.parametrize(
    ("condition", "acts"),
    [
        ("microsleep", [0.0]),
        ("sleep", []),
        ("perclos", [0.0]),
        ("perclos>0.12 for 2s", [2.0]),
        ("perclos>0.3", []),
        ("eyes<0.2 for 1s", [1.0]),
        ("blinks>10", [0.0]),
    ],
)
def test_rules_take_events_and_signals(condition: str, acts: list[float]) -> None:
    matcher = RuleMatcher(parse_rule(f"{condition}: true", LABELS, alertness=True))
    times = [float(now) for now in range(4)]
    acted = []
    for now in times:
        acted += [now for _ in matcher.update(told(ASLEEP, now))]
    assert acted == acts


def test_a_signal_that_cannot_be_told_fulfils_no_rule() -> None:
    for condition in ("eyes<0.2", "perclos<0.5", "blinks<100", "microsleep"):
        matcher = RuleMatcher(parse_rule(f"{condition}: true", LABELS, alertness=True))
        assert matcher.update(told(HIDDEN_EYES)) == []
        assert matcher.update(told(None)) == []


@pytest.mark.parametrize(
    ("text", "alertness", "says"),
    [
        ("microsleep: true", False, "--alertness"),
        ("eyes: true", True, "needs a level"),
        ("sleep>0.5: true", True, "has no level"),
        ("perclos>12: true", True, "between 0 and 1"),
        ("asleep: true", True, "microsleep"),
    ],
)
def test_wrong_rules_are_refused_with_what_to_do(text: str, alertness: bool, says: str) -> None:
    with pytest.raises(UserError, match=says):
        parse_rule(text, LABELS, alertness)


def test_the_broker_is_told_of_events_at_once() -> None:
    tracker = StateTracker()
    for now in (0.0, 1.0):
        tracker.update(told(HIDDEN_EYES, now), now)
    assert tracker.update(told(ASLEEP, 1.1), 1.1)
    message = json.loads(tracker.message(1.1, None, repeated=False))
    assert message["alerts"] == ["long_blink", "perclos", "microsleep"]
    assert message["perclos"] == 0.2
    assert tracker.update(told(HIDDEN_EYES, 1.2), 1.2)
    assert json.loads(tracker.message(1.2, None, repeated=False))["alerts"] == []


def test_home_assistant_gets_a_binary_sensor_for_each_event() -> None:
    jinja = pytest.importorskip("jinja2")
    broker = parse_broker("mqtt://127.0.0.1/mien/car")
    plain = json.loads(discovery(broker, LABELS))["components"]
    assert not any(key.startswith("alert_") for key in plain)
    components = json.loads(discovery(broker, LABELS, alertness=True))["components"]
    sensors = {k: v for k, v in components.items() if v["platform"] == "binary_sensor"}
    assert len(sensors) == len(EVENTS)
    template = jinja.Template(sensors["alert_microsleep"]["value_template"])
    assert template.render(value_json={"alerts": ["long_blink", "microsleep"]}) == "ON"
    assert template.render(value_json={"alerts": ["long_blink"]}) == "OFF"


def test_the_page_gets_the_signals_and_lists_the_events() -> None:
    state = PageState("camera", LABELS)
    state.add(told(ASLEEP), (640, 480))
    face = state.snapshot()["faces"][0]
    assert face["alertness"]["active"] == ["long_blink", "perclos", "microsleep"]
    assert next(moment["what"] for moment in state.moments(0)) == "microsleep"
