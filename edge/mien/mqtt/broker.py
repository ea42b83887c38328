"""Broker address, user and topic: `--mqtt mqtt[s]://[user@]host[:port][/topic]`."""

from __future__ import annotations

import os
import re
import socket
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import SplitResult, unquote, urlsplit

from mien.errors import UserError

DEFAULT_PORTS = {"mqtt": 1883, "mqtts": 8883}
PASSWORD_VARIABLE = "MIEN_MQTT_PASSWORD"  # the environment variable's name
MAX_TOPIC_LENGTH = 200  # characters; with what follows far below MQTT's 65,535


@dataclass(frozen=True)
class Broker:
    """A broker's address, without its password."""

    host: str
    port: int
    tls: bool
    user: str | None
    topic: str  # prefix of all topics, without a slash at either end

    @property
    def shown(self) -> str:
        """Host and port, for messages."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"

    @property
    def identity(self) -> str:
        """Identifier of this device at the broker, made from the topic."""
        return re.sub(r"[^A-Za-z0-9_-]+", "_", self.topic)


def parse_broker(text: str) -> Broker:
    """Return the broker in an address; raises UserError, never repeating a password."""
    try:
        parts = urlsplit(text.strip())
        port = parts.port
    except ValueError:
        raise UserError(_wrong("its host or port is not valid")) from None
    if parts.scheme not in DEFAULT_PORTS:
        raise UserError(_wrong("it must start with mqtt:// or mqtts://"))
    if parts.password is not None:
        raise UserError(
            "--mqtt must not hold a password: everybody on this machine can read a command line. "
            f"Put it into the environment variable {PASSWORD_VARIABLE} or --mqtt-password-file."
        )
    if not parts.hostname or parts.query or parts.fragment or port == 0:
        why = "a query or fragment follows" if parts.hostname else "the host is missing"
        raise UserError(_wrong(why))
    user = unquote(parts.username) if parts.username else None
    return Broker(
        parts.hostname,
        port or DEFAULT_PORTS[parts.scheme],
        parts.scheme == "mqtts",
        user,
        _topic(parts),
    )


def read_password(file: Path | None) -> str | None:
    """Return the password of a file, else of the environment, else None; raises UserError."""
    if file is not None:
        try:
            password = file.read_text(encoding="utf-8").rstrip("\r\n")
        except (OSError, UnicodeDecodeError):
            raise UserError(f"{file} cannot be read; --mqtt-password-file needs a file.") from None
        if not password:
            raise UserError(f"{file} is empty; write the broker's password into it.")
        return password
    return os.environ.get(PASSWORD_VARIABLE) or None


def _topic(parts: SplitResult) -> str:
    topic = unquote(parts.path).strip("/")
    if not topic:
        host = re.sub(r"[^A-Za-z0-9_-]+", "_", socket.gethostname().split(".")[0])
        return f"mien/{host or 'camera'}"
    if len(topic) > MAX_TOPIC_LENGTH or re.search(r"[+#\x00-\x1f\x7f]|//", topic):
        raise UserError(
            "The topic in --mqtt may hold neither + nor #, no empty level and at most "
            f"{MAX_TOPIC_LENGTH} characters; write it as in mqtt://broker.local/mien/kitchen."
        )
    return topic


def _wrong(why: str) -> str:
    return (
        f"Invalid --mqtt ({why}): write it as mqtt://broker.local/mien/kitchen, "
        "mqtts:// for an encrypted connection."
    )
