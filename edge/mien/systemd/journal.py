"""Says sentences to the person, and to the journal with fields where stderr is the journal.

The journal's own protocol (systemd.io/JOURNAL_NATIVE_PROTOCOL) needs no library: `KEY=value` lines
in one datagram. `journalctl MIEN_EVENT=lost` then finds every loss of a camera, and
`journalctl -u mien -p warning` what went wrong alone. (The package `systemd` of pip's index would
have to be compiled on the Pi.)
"""

from __future__ import annotations

import contextlib
import os
import re
import socket
import struct
import sys

from mien.log import Said

JOURNAL = "/run/systemd/journal/socket"
# syslog(3)
ERROR = 3
WARNING = 4
NOTICE = 5
INFO = 6
# Of the events that are no warnings.
PRIORITIES = {
    "started": INFO,
    "stopped": INFO,
    "back": NOTICE,
    "paused": NOTICE,
    "resumed": NOTICE,
    "broker-back": NOTICE,
    "page": NOTICE,
    "error": ERROR,
}


def tell(sentence: str, event: str = "warning", **fields: object) -> None:
    """Print a sentence on stderr, or log it with its fields where stderr is the journal.

    A `Said` brings its event and fields itself.
    """
    if sys.stderr is None:
        return
    if not note(sentence, event, **fields):
        print(f"mien: {sentence}", file=sys.stderr, flush=True)


def note(sentence: str, event: str = "warning", **fields: object) -> bool:
    """Log a sentence where stderr is the journal, and return whether it was; else say nothing."""
    if isinstance(sentence, Said):
        event, fields = sentence.event, {**sentence.fields, **fields}
    return in_journal() and _log(sentence, {"event": event, **fields})


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


def _log(sentence: str, fields: dict[str, object]) -> bool:
    priority = PRIORITIES.get(str(fields["event"]), WARNING)
    entries = {"MESSAGE": sentence, "PRIORITY": priority, "SYSLOG_IDENTIFIER": "mien"}
    entries.update({f"MIEN_{name.upper()}": value for name, value in fields.items()})
    message = b"".join(_field(name, str(value)) for name, value in entries.items())
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        # Where the journal is full of others' words this waits for it, but not for ever: the
        # watchdog looks at the same thread.
        sender.settimeout(1.0)
        sender.sendto(message, JOURNAL)
        return True
    return False


def _field(name: str, value: str) -> bytes:
    """Return one field; a value of several lines goes with its length instead."""
    data = value.encode("utf-8", "replace")
    if b"\n" not in data:
        return name.encode() + b"=" + data + b"\n"
    return name.encode() + b"\n" + struct.pack("<Q", len(data)) + data + b"\n"
