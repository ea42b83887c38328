"""Connections to the page that a stranger opens: many, silent, slow, malformed."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Callable, Iterator

import pytest

pytest.importorskip("starlette")
pytest.importorskip("uvicorn")
pytest.importorskip("prometheus_client")

from mien.web import connections
from mien.web.server import WebOutput
from running import PATIENCE
from visiting import face, get, read_until, seen, served, watch

TOKEN = "a-token-of-mine"
PART = b"GET / HTTP/1.1\r\nHost: localhost\r\nX: "
BODY = b"POST /login HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n"
WRONG_TOKEN = (
    b"GET /api/state HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer not-this-one\r\n\r\n"
)


@contextlib.contextmanager
def strangers(page: WebOutput, count: int, sent: bytes) -> Iterator[list[socket.socket]]:
    with contextlib.ExitStack() as stack:
        opened = []
        for _ in range(count):
            one = stack.enter_context(socket.create_connection(("127.0.0.1", page.port), 10))
            with contextlib.suppress(OSError):  # it may have been closed at once
                one.sendall(sent)
            opened.append(one)
        yield opened


def is_open(stranger: socket.socket) -> bool:
    stranger.setblocking(False)
    try:
        while stranger.recv(65536):
            pass
        return False
    except BlockingIOError:
        return True
    except OSError:
        return False


def until(true: Callable[[], object], seconds: float) -> None:
    end = time.monotonic() + seconds * PATIENCE
    while not true():
        assert time.monotonic() < end
        time.sleep(0.05)


@pytest.mark.parametrize(
    "sent", [b"", PART, BODY, WRONG_TOKEN], ids=["idle", "part", "body", "401"]
)
def test_any_number_of_connections_locks_nobody_out(sent: bytes) -> None:
    """Also not from /healthz, nor does one more take a viewer's stream away."""
    with served(token=TOKEN) as page:
        page.write(*seen(0, face()))
        bearer = {"Authorization": f"Bearer {TOKEN}"}
        with watch(page, "/live.mjpg", **bearer) as viewer:
            read_until(viewer, b"image/jpeg")
            with strangers(page, 2 * connections.MAX_CONNECTIONS, sent) as opened:
                assert get(page, "/healthz")[0] == 200
                assert get(page, "/api/state", **bearer)[0] == 200
                until(lambda: sum(map(is_open, opened)) < connections.MAX_CONNECTIONS, 10)
                page.write(*seen(1, face()))
                read_until(viewer, b"image/jpeg")


@pytest.mark.parametrize("sent", [b"", PART, BODY], ids=["idle", "part", "body"])
def test_a_connection_without_a_whole_request_is_closed(
    sent: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "REQUEST_TIMEOUT_S", 0.5)
    with served() as page, strangers(page, 3, sent) as opened:
        end = time.monotonic() + 5 * PATIENCE
        while any(map(is_open, opened)):
            assert time.monotonic() < end
            for one in opened:
                with contextlib.suppress(OSError):
                    one.send(b"a" if sent == PART else b"")  # slow, not silent
            time.sleep(0.05)


def test_a_stream_outlasts_the_time_of_a_request(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "REQUEST_TIMEOUT_S", 0.2)
    with served() as page, watch(page, "/live.mjpg") as viewer:
        page.write(*seen(0))
        read_until(viewer, b"image/jpeg")
        time.sleep(0.5)
        page.write(*seen(1))
        read_until(viewer, b"image/jpeg")


def test_malformed_requests_are_one_line_a_minute(
    capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    whole = b"GET /page.css HTTP/1.1\r\nHost: localhost\r\n\r\n"
    malformed = [
        b"\x16\x03\x01\x02\x00\x01\x00",  # TLS
        b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        b"GET /\xff\xfe HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"POST /login HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
        b"POST /login HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        whole + b"\0" * 100,
        b"A" * 200_000,
        b"GET /live.mjpg HTTP/1.0\r\nHost: localhost\r\n\r\n",  # and more while it is answered
        b"GET /api/state HTTP/1.1\r\nHost: localhost\r\nCookie: \xff=\x01;;=;\r\n\r\n",
        b"GET /%00%ff//[ HTTP/1.1\r\nHost: localhost\r\n\r\n",
    ]
    said: list[str] = []
    with served(say=said.append) as page:
        page.write(*seen(0))
        for sent in malformed * 3:
            for pause in (0, 0.05):
                with socket.create_connection(("127.0.0.1", page.port), 10) as one:
                    one.settimeout(10 * PATIENCE)
                    with contextlib.suppress(OSError):
                        one.sendall(sent)
                        time.sleep(pause)
                        one.sendall(b"more\r\n\r\n")
                        one.shutdown(socket.SHUT_WR)
                        one.recv(65536)
        assert get(page, "/healthz")[0] == 200
    assert capfd.readouterr().err == ""
    assert [record for record in caplog.records if record.name == "asyncio"] == []  # tracebacks
    assert len([line for line in said if "bad connection" in line]) == 1


def test_bad_connections_are_counted_until_the_next_line() -> None:
    said: list[str] = []
    now = [0.0]
    limiter = connections.ConnectionLimiter(said.append, clock=lambda: now[0])
    limiter.count_bad("malformed request")
    for _ in range(5000):
        limiter.count_bad("malformed request")
    now[0] = 61.0
    limiter.count_bad("too many connections")
    assert said == [
        "the page closed 1 bad connection (the last one: malformed request).",
        "the page closed 5001 bad connections (the last one: too many connections).",
    ]


@pytest.mark.parametrize("path", ["/live.mjpg", "/api/events"])
def test_the_bound_on_streams_holds_for_those_that_come_at_once(path: str) -> None:
    from mien.web.app import MAX_STREAMS

    with served() as page, contextlib.ExitStack() as stack:
        viewers = [stack.enter_context(watch(page, path)) for _ in range(MAX_STREAMS + 8)]
        answers = [viewer.recv(12) for viewer in viewers]
        assert answers.count(b"HTTP/1.1 200") == MAX_STREAMS
        assert answers.count(b"HTTP/1.1 503") == 8
        # HEAD takes no place, and a viewer who leaves gives his back.
        assert get(page, path, "HEAD")[0] == 200
        viewers[answers.index(b"HTTP/1.1 200")].close()

        def fits() -> bool:
            with watch(page, path) as one:
                return one.recv(12) == b"HTTP/1.1 200"

        until(fits, 10)
