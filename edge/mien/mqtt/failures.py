"""Reasons why a broker cannot be reached: one cause, one sentence."""

from __future__ import annotations

import socket
import ssl

from mien.mqtt.broker import Broker

GONE = "has gone"
SILENT = "closes the connection before it answers (it may expect mqtts://)"
UNKNOWN_HOST = "has a host name that is not known"
REFUSED = "refuses connections on this port"
UNREACHABLE = "cannot be reached"
# Ways in which a broker that is switched off or restarts appears, one after the other.
AWAY = (GONE, SILENT, UNKNOWN_HOST, REFUSED, UNREACHABLE)


def why_unreachable(error: OSError | None, broker: Broker) -> str:
    """Return why a connection failed, as the end of a sentence about the broker."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return (
            f"has a certificate that is not trusted ({error.verify_message}); add its authority "
            "to this system's, or name the file in SSL_CERT_FILE"
        )
    if broker.tls and isinstance(error, (ssl.SSLError, ConnectionResetError)):
        return "does not agree on encryption (it may expect mqtt:// on this port)"
    if isinstance(error, socket.gaierror):
        return UNKNOWN_HOST
    if isinstance(error, ConnectionRefusedError):
        return REFUSED
    return UNREACHABLE
