"""The snapshot address of a camera: one picture, or one every so often."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator

import pytest
from made import PORTRAITS
from mien.image import load_image
from mien.sources import Change, Frame, ReadOptions, SourceLost, open_source

PICTURE = PORTRAITS / "collins.jpg"


class Camera:
    """A camera that gives one picture per request, knows no HEAD, and can be switched off."""

    def __init__(self) -> None:
        camera = self
        self.on, self.requests = True, 0

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                camera.requests += 1
                self.send_response(200 if camera.on else 503)
                self.send_header("Content-Type", "image/jpeg")
                self.end_headers()
                if camera.on:
                    self.wfile.write(PICTURE.read_bytes())

            def log_message(self, *_: object) -> None: ...

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self.address = f"http://127.0.0.1:{self._server.server_port}/snap.jpg?token=abc"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def camera() -> Iterator[Camera]:
    camera = Camera()
    yield camera
    camera.close()


def test_a_snapshot_is_one_still(camera: Camera) -> None:
    source = open_source(camera.address, want_color=True)
    assert (source.live, source.total) == (False, 1)
    (frame,) = source.frames()
    assert isinstance(frame, Frame)
    assert frame.picture == "snap.jpg"
    assert (frame.gray == load_image(PICTURE).gray).all()
    assert frame.bgr is not None
    assert "abc" not in source.name


def test_a_snapshot_is_read_at_an_interval_and_retried_when_it_fails(camera: Camera) -> None:
    said: list[str] = []
    source = open_source(camera.address, say=said.append, options=ReadOptions(every_s=0.05))
    items = source.frames()
    first, second = next(items), next(items)
    assert isinstance(first, Frame)
    assert isinstance(second, Frame)
    assert second.time - first.time >= 0.04
    camera.on = False
    lost = next(item for item in items if isinstance(item, Change))
    assert lost.state == "lost"
    camera.on = True
    back = next(items)
    assert isinstance(back, Change)
    assert back.state == "back"
    assert isinstance(next(items), Frame)
    assert len(said) == 2
    assert "503" in said[0]


def test_a_snapshot_that_stays_away_is_given_up(camera: Camera) -> None:
    options = ReadOptions(every_s=0.05)
    source = open_source(camera.address, say=lambda _: None, give_up=0.2, options=options)
    items = source.frames()
    next(items)
    camera.on = False
    with pytest.raises(SourceLost, match="503"):
        for _ in items:
            pass
