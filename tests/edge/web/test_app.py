"""The page's addresses: a real server on loopback, real sockets."""

from __future__ import annotations

import json
import re
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from made import LABELS
from running import PATIENCE

pytest.importorskip("starlette")
pytest.importorskip("uvicorn")
pytest.importorskip("prometheus_client")

from mien.errors import UserError
from mien.outputs.jsonl import JsonlOutput
from mien.sources.base import Change
from mien.sources.pausable import PauseSwitch
from mien.web.binding import parse_bind_address, parse_host, parse_proxy, parse_root
from mien.web.history import History
from mien.web.server import WebOutput
from visiting import face, get, get_json, read_until, seen, served, watch


@pytest.fixture(scope="module")
def page() -> Iterator[WebOutput]:
    with served() as output:
        output.write(*seen(0, face("happy"), face("sad", (150, 40, 60, 60), 2)))
        yield output


def decode(jpeg: bytes) -> np.ndarray:
    picture = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    assert picture is not None
    return picture


def test_the_page_is_whole_and_asks_for_nothing_from_elsewhere(page: WebOutput) -> None:
    for path, kind in (
        ("/", "text/html; charset=utf-8"),
        ("/calibration.js", "text/javascript; charset=utf-8"),
        ("/chart.js", "text/javascript; charset=utf-8"),
        ("/page.js", "text/javascript; charset=utf-8"),
        ("/page.css", "text/css; charset=utf-8"),
        ("/icon.svg", "image/svg+xml"),
    ):
        status, headers, body = get(page, path)
        assert status == 200
        assert headers["content-type"] == kind
        text = body.decode().replace("http://www.w3.org/2000/svg", "")
        assert not re.search(r"https?://|url\(|@import|//[a-z]+\.", text)
        assert "access-control-allow-origin" not in headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert "*" not in policy
    assert get(page, "/nothing")[0] == 404
    assert get(page, "/", method="POST", body="")[0] == 405


def test_the_state_says_all_that_is_shown(page: WebOutput) -> None:
    page.write(*seen(7, face("happy"), face("sad", (150, 40, 60, 60), 2)))
    state = get_json(page, "/api/state")
    assert state["camera"] == "running"
    assert state["frame"] == 7
    assert state["size"] == [320, 240]
    assert state["latency_ms"] == 40
    assert state["ms"]["total"] == 5
    assert state["temperature"] == 51.5
    assert [(f["id"], f["emotion"]) for f in state["faces"]] == [(1, "happy"), (2, "sad")]
    assert sum(state["faces"][0]["probabilities"].values()) == pytest.approx(1, abs=1e-3)
    assert [label["name"] for label in state["labels"]] == [*LABELS, "uncertain"]
    assert [f["color"] for f in state["faces"]] == ["#ffd23c", "#5ac8fa"]  # as the boxes
    assert (state["can_pause"], state["recorded"]) == (False, False)
    timeline = get_json(page, "/api/timeline")
    assert timeline["labels"] == list(LABELS)
    second = timeline["seconds"][-1]
    assert second["faces"] == 2
    assert second["mean"][LABELS.index("sad")] == pytest.approx(0.458, abs=0.01)


def test_events_come_as_the_state_changes(page: WebOutput) -> None:
    with watch(page, "/api/events") as viewer:
        read_until(viewer, b"event: state")
        page.write(*seen(40, face("fear")))
        data = read_until(viewer, b'"emotion": "fear"')
        assert b"event: state\ndata: {" in data
        page.changed(Change("lost", 3.0, "The camera was unplugged."))
        data = read_until(viewer, b'"camera": "lost"')
        moment = re.search(rb"event: moment\ndata: (.+)\n", data)
        assert moment is not None
        assert json.loads(moment[1])["why"] == "The camera was unplugged."
        state = get_json(page, "/api/state")
        assert state["camera"] == "lost"
        assert state["faces"] == []
        assert get(page, "/healthz")[0] == 503
        page.write(*seen(41))
        read_until(viewer, b'"camera": "running"')
    assert get(page, "/healthz")[0] == 200


def test_nobody_looks_nothing_is_drawn(page: WebOutput) -> None:
    before = page.broadcaster.encoded
    for index in range(100, 150):
        page.write(*seen(index, face()))
    time.sleep(0.1)
    assert page.broadcaster.encoded == before
    status, headers, body = get(page, "/snapshot.jpg")
    assert (status, headers["content-type"]) == (200, "image/jpeg")
    assert page.broadcaster.encoded == before + 1
    picture = decode(body)
    assert picture.shape == (240, 320, 3)
    amber = (abs(picture.astype(int) - (60, 210, 255)).max(axis=2) < 60).sum()
    assert amber > 100  # the box
    assert get(page, "/snapshot.jpg")[2] == body  # the same frame is not drawn twice
    assert page.broadcaster.encoded == before + 1


def test_viewers_share_one_encoding_and_a_stalled_one_costs_nothing(page: WebOutput) -> None:
    before = page.broadcaster.encoded
    with (
        watch(page, "/live.mjpg", 4096) as stalled,
        watch(page, "/live.mjpg") as one,
        watch(page, "/live.mjpg") as two,
    ):
        for index in range(200, 208):
            page.write(*seen(index, face(), size=(480, 640)))
            read_until(one, b"image/jpeg")
            read_until(two, b"image/jpeg")
        shared = page.broadcaster.encoded - before
        assert 6 <= shared <= 10  # and not 16 or 24
        one.close()
        two.close()
        stuck = page.broadcaster.encoded
        slowest = 0.0
        for index in range(300, 360):
            frame, result = seen(index, face())  # some 70 KB: it would fit fifty times into memory
            start = time.thread_time()
            page.write(frame, result)
            slowest = max(slowest, time.thread_time() - start)
            time.sleep(0.01)
        assert slowest < 0.02 * PATIENCE
        # What the kernel and the server buffer, a few pictures, and then no more.
        assert page.broadcaster.encoded - stuck <= 8
        stalled.close()
    end = time.monotonic() + 5 * PATIENCE
    while page.broadcaster.viewers and time.monotonic() < end:
        page.write(*seen(400))
        time.sleep(0.05)
    assert page.broadcaster.viewers == 0


def test_the_metrics_are_prometheus(page: WebOutput) -> None:
    from prometheus_client.parser import text_string_to_metric_families

    page.write(*seen(500, face("happy")))
    status, headers, body = get(page, "/metrics")
    assert status == 200
    assert headers["content-type"].startswith("text/plain; version=0.0.4")
    families = {f.name: f for f in text_string_to_metric_families(body.decode())}
    values = {(s.name, *s.labels.values()): s.value for f in families.values() for s in f.samples}
    assert values["mien_camera_up",] == 1
    assert values["mien_board_temperature_celsius",] == 51.5
    assert values["mien_frames_total",] == page.state.totals.frames
    assert values["mien_readings_total", "happy"] >= 1
    assert values["mien_frame_seconds_bucket", "+Inf"] == page.state.totals.frames
    assert values["mien_pictures_encoded_total",] == page.broadcaster.encoded


def test_other_hosts_and_other_pages_are_refused(page: WebOutput) -> None:
    for host in ("evil.example", "localhost.evil.example", "evil.example:80", "", "a b"):
        assert get(page, "/api/state", Host=host)[0] == 400, host
    for host in ("localhost", f"localhost:{page.port}", "127.0.0.1", "[::1]:8080", "LOCALHOST"):
        assert get(page, "/api/state", Host=host)[0] == 200, host
    embedded = {"Sec_Fetch_Site": "cross-site", "Sec_Fetch_Mode": "no-cors"}
    assert get(page, "/live.mjpg", **embedded)[0] == 403
    assert get(page, "/", Sec_Fetch_Site="cross-site", Sec_Fetch_Mode="navigate")[0] == 200
    assert "access-control-allow-origin" not in get(page, "/api/state", Origin="http://evil")[1]


def test_the_token_by_header_form_and_once_in_the_address() -> None:
    token = "a-token-of-mine"
    with served(token=token) as page:
        assert token not in page.sentence
        page.write(*seen(0, face()))
        for path in ("/", "/api/state", "/live.mjpg", "/snapshot.jpg", "/metrics", "/page.js"):
            assert get(page, path)[0] == 401, path
        assert get(page, "/healthz")[::2] == (200, b"ok\n")
        wrong = [
            {"Authorization": "Bearer wrong-token"},
            {"Cookie": f"mien-{page.port}=wrong"},
            {"Cookie": f"mien-{page.port}={token}"},  # the cookie is not the token
        ]
        for headers in wrong:
            status, given, _ = get(page, "/api/state", **headers)
            assert status == 401
            assert given["www-authenticate"].startswith("Bearer")
        assert get(page, "/api/state?token=wrong-token")[0] == 401
        assert get(page, "/login", "POST", "token=wrong")[0] == 401
        assert get(page, "/api/state", Authorization=f"Bearer {token}")[0] == 200
        once = get(page, f"/api/state?token={token}&a=1")
        assert once[0] == 303
        assert once[1]["location"] == "/api/state?a=1"
        assert get(page, f"//evil.example/?token={token}")[1]["location"].startswith("/evil")
        for entered in (once, get(page, "/login", "POST", f"token={token}")):
            cookie = entered[1]["set-cookie"]
            assert "HttpOnly" in cookie
            assert "SameSite=lax" in cookie
            assert token not in cookie
            assert get(page, "/api/state", Cookie=cookie.split(";")[0])[0] == 200
        status, _, body = get(page, "/", Accept="text/html")
        assert status == 401
        assert b'type="password"' in body


def test_other_networks_need_a_token_and_one_is_made() -> None:
    with served("0.0.0.0:0") as page:
        assert page.token is not None
        assert len(page.token) >= 20
        assert page.sentence.endswith(f":{page.port}/?token={page.token}")
        assert get(page, "/api/state")[0] == 401
        assert get(page, "/api/state", Host=f"{socket.gethostname()}.local")[0] == 401
        assert get(page, "/api/state", Host="evil.example")[0] == 400
        assert get(page, "/api/state", Authorization=f"Bearer {page.token}")[0] == 200


def test_a_paused_camera_shows_nothing_not_even_its_last_picture() -> None:
    pause = PauseSwitch()
    with served(pause=pause) as page:
        page.write(*seen(0, face()))
        assert get(page, "/snapshot.jpg")[0] == 200
        pause.set(True)
        assert get(page, "/snapshot.jpg")[0] == 503
        assert get_json(page, "/api/state")["camera"] == "paused"
        assert get(page, "/healthz")[0] == 200


def test_blurred_faces_are_hidden_and_gray_frames_are_shown() -> None:
    frame, result = seen(0, face(box=(100, 80, 100, 100)))
    with served(blur=True) as page:
        page.write(frame, result)
        hidden = decode(get(page, "/snapshot.jpg")[2])[90:170, 110:190].astype(int)
        assert abs(np.diff(hidden[..., 1], axis=1)).mean() < 6  # of noise it is some 85
        page.write(type(frame)(1, 0.1, frame.gray, None), result)
        gray = decode(get(page, "/snapshot.jpg")[2])[:60, :60].astype(int)
        assert abs(gray[..., 0] - gray[..., 2]).mean() < 8


def test_an_address_is_refused_in_a_sentence(page: WebOutput) -> None:
    for text in ("", "localhost", "1.2.3.4:99999", "a:b:80", "user@host:80", "http://x:80"):
        with pytest.raises(UserError, match="Invalid --web"):
            parse_bind_address(text)
    for text, host in (("80", "127.0.0.1"), (":80", "0.0.0.0"), ("[::1]:80", "::1")):
        assert parse_bind_address(text).host == host
    with (
        pytest.raises(UserError, match=r"Address already in use.*another port"),
        served(f"127.0.0.1:{page.port}"),
    ):
        pass
    with (
        pytest.raises(UserError, match="not an address of this machine"),
        served("nowhere.invalid:0"),
    ):
        pass
    for token, words in (("short", "shorter"), ("with space in it", "letters")):
        with pytest.raises(UserError, match=words), served(token=token):
            pass


def test_the_end_comes_soon_with_viewers_still_there() -> None:
    with served() as page:
        page.write(*seen(0))
        viewer, events = watch(page, "/live.mjpg"), watch(page, "/api/events")
        read_until(viewer, b"image/jpeg")
        read_until(events, b"event: state")
        start = time.monotonic()
    assert time.monotonic() - start < 4
    viewer.close()
    events.close()


@pytest.mark.parametrize("prefix", ["/mien", ""], ids=["passed on", "stripped"])
def test_the_page_behind_a_reverse_proxy_at_a_path_of_its_own(prefix: str) -> None:
    """A proxy passes the whole path on, or strips its own part; addresses hold for browsers."""
    name = {"Host": "cameras.example.org"}
    with served(token="a-token-of-mine", root="/mien", hosts=("cameras.example.org",)) as page:
        page.write(*seen(0, face()))
        assert get(page, f"{prefix}/healthz", **name)[0] == 200
        login = get(page, f"{prefix}/", Accept="text/html", **name)[2].decode()
        assert re.findall(r'(?:href|action)="([^"]*)"', login) == ["/mien/page.css", "/mien/login"]
        status, headers, _ = get(page, f"{prefix}/login", "POST", "token=a-token-of-mine", **name)
        assert (status, headers["location"]) == (303, "/mien/")
        assert "Path=/mien;" in headers["set-cookie"]
        cookie = {"Cookie": headers["set-cookie"].split(";")[0], **name}
        status, _, html = get(page, f"{prefix}/", **cookie)
        assert status == 200
        for address in re.findall(r'(?:href|src)="([^"]*)"', html.decode()):
            assert not address.startswith("/")  # else the browser leaves the proxy's path
            if not address.startswith(("live.", "session.")):
                assert get(page, f"{prefix}/{address}", **cookie)[0] == 200
        assert b'"/' not in get(page, f"{prefix}/page.js", **cookie)[2]
        once = get(page, f"{prefix}/api/state?token=a-token-of-mine", **name)
        assert once[1]["location"] == "/mien/api/state"
        assert get(page, "/mien", **cookie)[1]["location"] == "/mien/"
        assert get(page, "/mienish", **cookie)[0] == 404


def test_an_unknown_host_name_is_told_how_to_be_allowed(page: WebOutput) -> None:
    status, _, body = get(page, "/", Host="cameras.example.org:443")
    assert status == 400
    assert b"--allow-host cameras.example.org." in body
    status, _, body = get(page, "/", Host="<script>")
    assert status == 400
    assert b"script" not in body


@pytest.mark.parametrize("text", ["", "/", "mien", "/mien/", "/a/b-c/"])
def test_a_root_is_taken(text: str) -> None:
    assert parse_root(text) == {"": "", "/": "", "/a/b-c/": "/a/b-c"}.get(text, "/mien")


@pytest.mark.parametrize("text", ["http://x/mien", "/a b", "/a/../b", "/ä", "//evil//x"])
def test_a_root_is_refused(text: str) -> None:
    with pytest.raises(UserError, match="Invalid --web-root"):
        parse_root(text)


@pytest.mark.parametrize("text", ["https://x.org", "x.org:8080", "", "a b", "*"])
def test_a_host_name_is_refused(text: str) -> None:
    with pytest.raises(UserError, match="Invalid --allow-host"):
        parse_host(text)


def test_the_timeline_has_spans_up_to_a_day(page: WebOutput) -> None:
    page.write(*seen(600, face("happy")))
    for minutes, step in ((5, 1), (60, 10), (1440, 60)):
        timeline = get_json(page, f"/api/timeline?minutes={minutes}")
        assert (timeline["minutes"], timeline["step"]) == (minutes, step)
        assert all(one["at"] % step == 0 for one in timeline["seconds"])
        assert timeline["seconds"][-1]["mean"] is not None
    assert get(page, "/api/timeline?minutes=7")[0] == 400


def test_a_history_holds_its_span_and_no_more() -> None:
    history = History(60, 10)
    for second in range(3 * 3600):
        history.add([face("happy")] if second % 20 < 10 else [], float(second))
    bins = history.to_json(LABELS, 3 * 3600.0)
    assert len(bins) == 360
    assert (bins[0]["at"], bins[-1]["at"]) == (2 * 3600, 3 * 3600 - 10)
    assert [one["mean"] is None for one in bins[:2]] == [False, True]
    assert (bins[0]["faces"], bins[0]["mean"][LABELS.index("happy")]) == (1.0, 0.9)


JSON = {"Content_Type": "application/json"}


def test_the_camera_is_paused_by_the_page_and_by_no_other() -> None:
    pause = PauseSwitch()
    with served(token="a-token-of-mine", pause=pause) as page:
        page.write(*seen(0, face()))
        bearer = {"Authorization": "Bearer a-token-of-mine"}
        body = '{"paused": true}'

        def post(body: str, **headers: str) -> int:
            return get(page, "/api/pause", "POST", body, **headers)[0]

        assert post(body, **JSON) == 401
        # What a form on another page could send.
        assert post(body, Content_Type="text/plain", **bearer) == 415
        cross = {"Sec_Fetch_Site": "cross-site", "Sec_Fetch_Mode": "navigate"}
        assert post(body, **JSON, **bearer, **cross) == 403
        for wrong in ("", "[]", "{}", '{"paused": 1}', "null"):
            assert post(wrong, **JSON, **bearer) == 400
        assert get(page, "/api/pause", **bearer)[0] == 405
        assert not pause.paused
        assert post(body, **JSON, **bearer) == 200
        assert pause.paused
        state = json.loads(get(page, "/api/state", **bearer)[2])
        assert (state["camera"], state["faces"], state["can_pause"]) == ("paused", [], True)
        assert post('{"paused": false}', **JSON, **bearer) == 200
        assert not pause.paused
    with served() as page:
        assert get(page, "/api/pause", "POST", body, **JSON)[0] == 409  # nothing to pause


def test_the_recording_and_its_report_are_downloads(tmp_path: Path) -> None:
    target = tmp_path / "faces.jsonl"
    with served(recording=str(target)) as page:
        assert get(page, "/session.jsonl")[0] == 404  # not yet
        output = JsonlOutput(str(target))
        for index in range(30):
            output.write(*seen(index, face("happy")))
        output.close()
        status, headers, body = get(page, "/session.jsonl")
        assert (status, body) == (200, target.read_bytes())
        assert "faces.jsonl" in headers["content-disposition"]
        status, headers, body = get(page, "/session.html")
        assert status == 200
        assert "attachment" in headers["content-disposition"]
        assert b"happy" in body
        assert sorted(path.name for path in tmp_path.iterdir()) == ["faces.jsonl"]
    with served() as page:
        for path in ("/session.jsonl", "/session.html"):
            status, _, body = get(page, path)
            assert (status, b"--jsonl" in body) == (404, True)


def test_a_trusted_proxy_alone_is_answered_and_needs_no_token() -> None:
    """As Home Assistant's ingress: it checks its visitors, and shows the page in a frame."""
    with served("0.0.0.0:0", proxy="127.0.0.1") as page:
        assert page.token is None
        status, headers, _ = get(page, "/", Host="homeassistant.example:8123")
        assert status == 200
        assert "frame-ancestors 'self'" in headers["content-security-policy"]
        assert headers["x-frame-options"] == "SAMEORIGIN"
    with served("0.0.0.0:0", proxy="127.0.0.2") as page:
        for claimed in ({}, {"X_Forwarded_For": "127.0.0.2"}):
            assert get(page, "/", **claimed)[0] == 403
            assert get(page, "/live.mjpg", **claimed)[0] == 403
        assert get(page, "/healthz")[0] == 200
    with pytest.raises(UserError, match="Invalid --trusted-proxy"):
        parse_proxy("homeassistant")
