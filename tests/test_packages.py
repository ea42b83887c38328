"""Container and Home Assistant add-on: what they start is a run that Mien accepts."""

from __future__ import annotations

import http.server
import json
import re
import threading
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import mien
import pytest
from mien.commands.run import run
from mien.config import parameters
from script_modules import load_script

ROOT = Path(__file__).parent.parent
ADDON = ROOT / "addons" / "mien"
SERVICE = {"host": "core-mosquitto", "port": 1883, "username": "ad don", "ssl": False}


@pytest.fixture(scope="module")
def addon() -> ModuleType:
    return load_script(ADDON / "run.py")


@pytest.fixture
def supervisor() -> Iterator[str]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            known = self.headers["Authorization"] == "Bearer of-the-addon"
            self.send_response(200 if known else 401)
            self.end_headers()
            if known:
                self.wfile.write(json.dumps({"result": "ok", "data": SERVICE}).encode())

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_the_broker_comes_from_the_supervisor(addon: ModuleType, supervisor: str) -> None:
    assert addon.mqtt_service(supervisor, "of-the-addon") == SERVICE
    assert addon.mqtt_service(supervisor, "of another") is None  # a run without sensors


def test_the_addon_starts_a_run_behind_ingress(addon: ModuleType) -> None:
    options = {
        **{"source": "rtsp://cam/x", "size": "640x480", "fps": 5, "model": "mien-nano"},
        **{"blur": True, "record": True, "on": ["sad for 5s: http://ha/x"], "topic": "mien/hall"},
    }
    command = addon.command_of(options, SERVICE)
    assert command[:3] == ["mien", "run", "rtsp://cam/x"]
    given = [word for word in command if word.startswith("--")]
    known = {f"--{key}" for key in parameters(run)} | {"--config"}
    assert set(given) <= known
    assert command[command.index("--mqtt") + 1] == "mqtt://ad%20don@core-mosquitto:1883/mien/hall"
    assert command[command.index("--trusted-proxy") + 1] == "172.30.32.2"
    assert "--mqtt" not in addon.command_of({"source": "usb"}, None)


def test_version_and_options_of_the_addon_are_those_of_its_files(addon: ModuleType) -> None:
    text = (ADDON / "config.yaml").read_text()
    version = re.search(r'^version: "(.+)"$', text, re.MULTILINE)
    project = re.search(r'^version = "(.+)"$', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
    assert version is not None
    assert project is not None
    assert version[1] == project[1]
    schema = re.findall(r'^  "?([a-z]+)"?:', text[text.index("schema:") :], re.MULTILINE)
    described = (ADDON / "translations" / "en.yaml").read_text()
    assert sorted(re.findall(r'^  "?([a-z]+)"?:$', described, re.MULTILINE)) == sorted(schema)
    models = re.search(r"list\((.+)\)", text)
    assert models is not None
    shipped = {file.stem for file in (Path(mien.__file__).parent / "models").glob("*.tflite")}
    assert set(models[1].split("|")) == shipped


def test_variables_of_the_container_are_options() -> None:
    known = {parameter.variable for parameter in parameters(run).values()}
    known |= {"MIEN_CONFIG", "MIEN_MQTT_PASSWORD"}
    compose = (ROOT / "compose.yaml").read_text()
    block = compose[compose.index("environment:") : compose.index("volumes:")]
    assert set(re.findall(r"^ +(MIEN_[A-Z_]+):", block, re.MULTILINE)) <= known
    docker = (ROOT / "Dockerfile").read_text()
    assert set(re.findall(r"(MIEN_[A-Z_]+)=", docker)) <= known
