"""Says sentences to the person, and to the journal with fields where stderr is the journal.

The journal's own protocol (systemd.io/JOURNAL_NATIVE_PROTOCOL) needs no library: `KEY=value` lines
in one datagram. `journalctl -u mien -o json` then has MIEN_EVENT and PRIORITY as fields, and
`journalctl -u mien -p warning` shows what went wrong alone.
"""

from __future__ import annotations

import contextlib
import os
import re
import socket
import struct
import sys

JOURNAL = "/run/systemd/journal/socket"
# syslog(3)
ERROR = 3
WARNING = 4
NOTICE = 5
INFO = 6


def tell(sentence: str, priority: int = NOTICE, **fields: object) -> None:
    """Print a sentence on stderr, or log it with its fields where stderr is the journal.

    Names of fields are written in capitals after `MIEN_`: `event="lost"` is MIEN_EVENT=lost.
    """
    if sys.stderr is None:
        return
    if not (in_journal() and _log(sentence, priority, fields)):
        print(f"mien: {sentence}", file=sys.stderr, flush=True)


def in_journal() -> bool:
    """Whether stderr goes to the journal (systemd.exec(5), JOURNAL_STREAM)."""
    stream = os.environ.get("JOURNAL_STREAM", "")
    if not re.fullmatch("[0-9]+:[0-9]+", stream):
        return False
    try:
        found = os.fstat(2)
    except OSError:
        return False
    return stream == f"{found.st_dev}:{found.st_ino}"


def _log(sentence: str, priority: int, fields: dict[str, object]) -> bool:
    entries = {"MESSAGE": sentence, "PRIORITY": priority, "SYSLOG_IDENTIFIER": "mien"}
    entries.update({f"MIEN_{name.upper()}": value for name, value in fields.items()})
    message = b"".join(_field(name, str(value)) for name, value in entries.items())
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        sender.sendto(message, JOURNAL)
        return True
    return False


def _field(name: str, value: str) -> bytes:
    """Return one field; a value of several lines goes with its length instead."""
    data = value.encode("utf-8", "replace")
    if b"\n" not in data:
        return name.encode() + b"=" + data + b"\n"
    return name.encode() + b"\n" + struct.pack("<Q", len(data)) + data + b"\n"
