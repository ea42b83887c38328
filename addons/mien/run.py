"""Start of the Home Assistant add-on: turns its options and the MQTT service into `mien run`.

Home Assistant writes the options to /data/options.json and answers at http://supervisor for the
token in SUPERVISOR_TOKEN.
"""

from __future__ import annotations

import json
import os
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any
from urllib.parse import quote

OPTIONS = Path("/data/options.json")
SUPERVISOR = "http://supervisor"
INGRESS = "172.30.32.2"  # the only address from which Home Assistant's ingress connects
INGRESS_PORT = 8099


def mqtt_service(supervisor: str, token: str) -> dict[str, Any] | None:
    """Return host, port, username, password and ssl of the broker; None where there is none."""
    request = urllib.request.Request(
        f"{supervisor}/services/mqtt", headers={"Authorization": f"Bearer {token}"}
    )
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return dict(json.load(answer)["data"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        print(f"mien: no MQTT service ({error}); sensors are off.", file=sys.stderr)
        return None


def command_of(options: dict[str, Any], mqtt: dict[str, Any] | None) -> list[str]:
    """Return the command line of `mien run`; the password goes by the environment."""
    command = ["mien", "run", str(options.get("source") or "usb"), "--config", "none"]
    command += ["--web", f"0.0.0.0:{INGRESS_PORT}", "--trusted-proxy", INGRESS]
    for key in ("size", "fps", "model"):
        if options.get(key):
            command += [f"--{key}", str(options[key])]
    if options.get("blur"):
        command.append("--blur")
    if options.get("record"):
        command += ["--jsonl", "/data/faces-{date}.jsonl", "--every", "1"]
        command += ["--jsonl-keep", str(options.get("keep") or "30 days")]
    for rule in options.get("on") or []:
        command += ["--on", rule]
    if mqtt is not None:
        scheme = "mqtts" if mqtt.get("ssl") else "mqtt"
        user = f"{quote(str(mqtt['username']), safe='')}@" if mqtt.get("username") else ""
        topic = str(options.get("topic") or "mien/home").strip("/")
        address = f"{scheme}://{user}{mqtt['host']}:{mqtt['port']}/{quote(topic)}"
        command += ["--mqtt", address]
    return command


def main() -> None:
    """Become `mien run`."""
    options = json.loads(OPTIONS.read_text())
    mqtt = None
    if options.get("mqtt"):
        mqtt = mqtt_service(SUPERVISOR, os.environ.get("SUPERVISOR_TOKEN", ""))
    environment = {k: v for k, v in os.environ.items() if k != "SUPERVISOR_TOKEN"}
    environment["STATE_DIRECTORY"] = "/data"
    if mqtt is not None and mqtt.get("password"):
        environment["MIEN_MQTT_PASSWORD"] = str(mqtt["password"])
    command = command_of(options, mqtt)
    os.execvpe(command[0], command, environment)


if __name__ == "__main__":
    main()
