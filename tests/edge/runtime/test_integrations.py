"""`mien run` with page, MQTT and reactions at once: a process of its own, a real stream."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from made import is_one_sentence
from mjpeg_server import serving
from mosquitto import broker, listening
from running import CLIP, START

pytest.importorskip("starlette")
pytest.importorskip("uvicorn")
pytest.importorskip("paho.mqtt")


def wait(true: Callable[[], Any], seconds: float = 40.0) -> Any:
    end = time.monotonic() + seconds
    while not (value := true()):
        assert time.monotonic() < end
        time.sleep(0.1)
    return value


def test_everything_at_once(model_path: Path, tmp_path: Path) -> None:
    log, token = tmp_path / "stderr", "token-of-the-environment"
    topic = "mien/run"

    def page(path: str) -> bytes:
        (url,) = re.findall(r"the page is at (\S+) and asks for the token", log.read_text())
        asked = urllib.request.Request(url + path, headers={"Authorization": f"Bearer {token}"})
        with urllib.request.urlopen(asked, timeout=10) as answer:
            return bytes(answer.read())

    with (
        serving() as stream,
        broker(tmp_path) as mosquitto,
        listening(mosquitto.port, f"{topic}/#") as heard,
        log.open("w") as stderr,
    ):
        words = ["--config", "none", "--model", model_path, "--web", "127.0.0.1:0"]
        words += ["--mqtt", f"mqtt://127.0.0.1:{mosquitto.port}/{topic}"]
        words += ["--on", f"no face for 500ms: touch {tmp_path / 'acted'}"]
        words += ["--jsonl", tmp_path / "out.jsonl"]
        process = subprocess.Popen(
            [*START, f"{stream}/ok", *map(str, words)],
            stdout=subprocess.DEVNULL,
            stderr=stderr,
            env={**os.environ, "MIEN_TOKEN": token, "MIEN_MQTT_PASSWORD": "s3cret-one"},
        )
        try:
            wait(lambda: heard.states(topic) and heard.states(topic)[-1]["camera"] == "running")
            assert heard.states(topic)[-1]["emotion"] == "no face"
            state = json.loads(page("api/state"))
            assert (state["camera"], state["size"]) == ("running", [160, 120])
            assert page("snapshot.jpg").startswith(b"\xff\xd8")
            assert b"mien_camera_up 1.0" in page("metrics")
            wait((tmp_path / "acted").exists)
            heard.client.publish(f"{topic}/camera/set", b"OFF", qos=1)
            wait(lambda: json.loads(page("api/state"))["camera"] == "paused")
            with pytest.raises(urllib.error.HTTPError, match="503"):
                page("snapshot.jpg")
            heard.until(lambda: heard.states(topic)[-1]["switch"] == "OFF")
            time.sleep(0.5)
            heard.client.publish(f"{topic}/camera/set", b"ON", qos=1)
            wait(lambda: json.loads(page("api/state"))["camera"] == "running")
            wait(lambda: '"back"' in (tmp_path / "out.jsonl").read_text())
            count = (tmp_path / "out.jsonl").read_text().count("\n")
            wait(lambda: (tmp_path / "out.jsonl").read_text().count("\n") > count + 3)
            process.send_signal(signal.SIGTERM)
            assert process.wait(20) == 0
            heard.until(lambda: heard.of(f"{topic}/availability")[-1] == b"offline")
        finally:
            process.kill()
            process.wait()
    assert token not in log.read_text()
    assert "s3cret-one" not in log.read_text()
    records = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert [r["event"] for r in records if "event" in r] == ["paused", "back"]
    times = [record["time"] for record in records]
    assert times == sorted(times)
    assert not any("image" in key or "jpeg" in key for r in records for key in r)  # no picture


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--web", "nowhere"], "Invalid --web"),
        (["--web", "8080", "--token", "short"], "--token is shorter"),
        (["--token", "long-enough-a-token"], "give --web too"),
        (["--web-root", "/mien"], "give --web too"),
        (["--web", "0", "--web-root", "http://x"], "Invalid --web-root"),
        (["--web", "0", "--allow-host", "a b"], "Invalid --allow-host"),
        (["--mqtt", "broker"], "must start with mqtt://"),
        (["--mqtt", "mqtt://u:hunter22@b/t"], "MIEN_MQTT_PASSWORD"),
        (["--mqtt-password-file", "/etc/hostname"], "give that too"),
        (["--on", "sad>0.7"], "has no action after the condition"),
        (["--on", "bored: true"], "Unknown label 'bored'"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_opened(
    words: list[str], said: str, mien: Callable[..., tuple[int, str, str]], model_path: Path
) -> None:
    code, out, err = mien("run", CLIP, "--model", model_path, *words)
    assert (code, out) == (2, "")
    assert is_one_sentence(err, said)
    assert "hunter22" not in err


def test_a_missing_extra_is_said(
    mien: Callable[..., tuple[int, str, str]], model_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import importlib.util

    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    for words, extra in (
        (["--web", "0"], "-m pip install starlette"),
        (["--mqtt", "mqtt://b"], "pip install 'paho"),
    ):
        code, _, err = mien("run", CLIP, "--model", model_path, *words)
        assert code == 2
        assert is_one_sentence(err, extra)
