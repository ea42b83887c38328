"""The MQTT client of paho, which also keeps why it could not connect."""

from __future__ import annotations

from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode


class ReportingClient(Client):
    """A client whose `failure` is the error of the last attempt to connect."""

    def __init__(self, client_id: str) -> None:
        super().__init__(CallbackAPIVersion.VERSION2, client_id=client_id)
        self.failure: OSError | None = None

    def reconnect(self) -> MQTTErrorCode:
        """Connect; keep the error, which paho does not hand to `on_connect_fail`."""
        self.failure = None
        try:
            return super().reconnect()
        except OSError as error:
            self.failure = error
            raise
