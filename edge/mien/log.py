"""Log messages to the terminal or the systemd journal, and the silencing of native libraries.

The journal's own protocol (systemd.io/JOURNAL_NATIVE_PROTOCOL) needs no library: `KEY=value` lines
in one datagram. `journalctl MIEN_EVENT=lost` then finds every loss of a camera, and
`journalctl -u mien -p warning` only what went wrong. (The package `systemd` of pip's index would
have to be compiled on the Pi.)
"""

from __future__ import annotations

import contextlib
import os
import re
import socket
import struct
import sys
import tempfile
from collections.abc import Callable, Iterator

JOURNAL_SOCKET = "/run/systemd/journal/socket"
# Priorities of syslog(3).
ERROR = 3
WARNING = 4
NOTICE = 5
INFO = 6
# Events that are not listed are warnings.
EVENT_PRIORITIES = {
    "started": INFO,
    "stopped": INFO,
    "back": NOTICE,
    "paused": NOTICE,
    "resumed": NOTICE,
    "broker-back": NOTICE,
    "page": NOTICE,
    "error": ERROR,
}


class LogEvent(str):
    """A log message with a machine-readable event name and fields; otherwise an ordinary str.

    `LogEvent("usb:0 is lost.", "lost", source="usb:0")` is found in the journal by
    `journalctl MIEN_EVENT=lost`, with MIEN_SOURCE=usb:0 beside it. docs/service.md lists the
    events.
    """

    event: str
    fields: dict[str, object]

    def __new__(cls, message: str, event: str, **fields: object) -> LogEvent:
        """Create the message; the names of `fields` are written in capitals after `MIEN_`."""
        created = super().__new__(cls, message)
        created.event, created.fields = event, fields
        return created


def warn_user(message: str, name: str = "warning", **fields: object) -> None:
    """Print a message on stderr, or log it with its fields where stderr is the journal.

    A `LogEvent` brings its event name and fields itself.
    """
    if sys.stderr is None:
        return
    if not event(message, name, **fields):
        print(f"mien: {message}", file=sys.stderr, flush=True)


def event(message: str, name: str = "warning", **fields: object) -> bool:
    """Log a message if stderr is the journal; return whether it was. Prints nothing otherwise."""
    if isinstance(message, LogEvent):
        name, fields = message.event, {**message.fields, **fields}
    return in_journal() and _send_to_journal(message, {"event": name, **fields})


def in_journal() -> bool:
    """Return whether stderr goes to the journal (systemd.exec(5), JOURNAL_STREAM)."""
    stream = os.environ.get("JOURNAL_STREAM", "")
    if not re.fullmatch("[0-9]+:[0-9]+", stream):
        return False
    try:
        found = os.fstat(2)
    except OSError:
        return False
    return stream == f"{found.st_dev}:{found.st_ino}"


def silence_native_logs() -> None:
    """Silence OpenCV and FFmpeg; each of their failures gets a sentence of Mien's own.

    OPENCV_LOG_LEVEL and OPENCV_FFMPEG_LOGLEVEL, where they are set, are left as they are.
    """
    import cv2

    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")  # AV_LOG_QUIET, read at the first use
    if "OPENCV_LOG_LEVEL" in os.environ:
        return
    if hasattr(cv2, "setLogLevel"):  # until 4.10 at least; 4.14 has it elsewhere
        cv2.setLogLevel(0)
    else:
        cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)


@contextlib.contextmanager
def filter_stderr(keep: Callable[[bytes], bool]) -> Iterator[None]:
    """Hold back what is written to file descriptor 2, and pass on only the lines to `keep`.

    For libraries in C++ that write to the descriptor itself.
    """
    try:
        original = os.dup(2)
    except OSError:  # stderr is closed
        yield
        return
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(original, 2)
            os.close(original)
            held.seek(0)
            for line in filter(keep, held):
                os.write(2, line)


def _send_to_journal(message: str, fields: dict[str, object]) -> bool:
    priority = EVENT_PRIORITIES.get(str(fields["event"]), WARNING)
    entries = {"MESSAGE": message, "PRIORITY": priority, "SYSLOG_IDENTIFIER": "mien"}
    entries.update({f"MIEN_{name.upper()}": value for name, value in fields.items()})
    datagram = b"".join(_journal_field(name, str(value)) for name, value in entries.items())
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        # A journal that is full makes the sender wait, but not for ever: the watchdog looks at
        # the same thread.
        sender.settimeout(1.0)
        sender.sendto(datagram, JOURNAL_SOCKET)
        return True
    return False


def _journal_field(name: str, value: str) -> bytes:
    """Return one field; a value of several lines is sent with its length."""
    data = value.encode("utf-8", "replace")
    if b"\n" not in data:
        return name.encode() + b"=" + data + b"\n"
    return name.encode() + b"\n" + struct.pack("<Q", len(data)) + data + b"\n"
