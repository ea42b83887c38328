"""Why a stream does not open: one sentence and one cause each, from real servers on loopback."""

from __future__ import annotations

import base64
import contextlib
import http.server
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from clips import write_clip
from made import DATA
from mien.errors import UserError
from mien.sources import Frame, ReadOptions, SourceLost, open_source
from mien.sources.mjpeg import jpeg_end
from mien.sources.video import open_capture
from mjpeg_server import FRAMES, Quiet, number_of

Answer = Callable[[http.server.BaseHTTPRequestHandler], None]
WORD = "Basic " + base64.b64encode(b"me:pa#ss").decode()


@contextlib.contextmanager
def answering(answer: Answer, tls: bool = False) -> Iterator[str]:
    handler = type("Handler", (Quiet,), {"do_GET": lambda self: answer(self)})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    if tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(DATA / "localhost.pem")
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def multipart(body: bytes, kind: str = "multipart/x-mixed-replace; boundary=frame") -> Answer:
    def answer(request: http.server.BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.send_header("Content-Type", kind)
        request.end_headers()
        with contextlib.suppress(OSError):
            request.wfile.write(body)

    return answer


def plain(code: int, kind: str = "text/html", body: bytes = b"x") -> Answer:
    def answer(request: http.server.BaseHTTPRequestHandler) -> None:
        request.send_response(code)
        request.send_header("Content-Type", kind)
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        request.wfile.write(body)

    return answer


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (plain(401), r"refuses access \(401 Unauthorized\); write USER:PASSWORD@"),
        (plain(403), r"refuses access \(403"),
        (plain(404), r"does not exist on this server \(404"),
        (plain(503), "answers 503"),
        (plain(200), "is a web page, not a stream"),
        (plain(200, "video/mp4", b"none" * 50), "nothing that can be read as a video stream"),
    ],
)
def test_what_a_server_answers_is_said(answer: Answer, words: str) -> None:
    with answering(answer) as host, pytest.raises(UserError, match=words) as caught:
        open_source(f"http://{host}/x")
    assert not isinstance(caught.value, SourceLost)
    assert f"http://{host}/x" in str(caught.value)


def test_no_host_and_no_server() -> None:
    with pytest.raises(UserError, match=r"There is no host named nowhere\.invalid"):
        open_source("http://nowhere.invalid/x")
    for scheme in ("http", "rtsp", "rtsps"):
        with pytest.raises(UserError, match=r"127\.0\.0\.1:9/x refuses the connection"):
            open_source(f"{scheme}://127.0.0.1:9/x")


def wants_word(request: http.server.BaseHTTPRequestHandler) -> None:
    if request.headers.get("Authorization") != WORD:
        request.send_response(401)
        request.send_header("WWW-Authenticate", 'Basic realm="camera"')
        request.send_header("Content-Length", "0")
        request.end_headers()
        return
    multipart(b"--frame\r\n\r\n".join([b"", *FRAMES[:3]]))(request)


def test_user_and_password_open_a_stream() -> None:
    with answering(wants_word) as host:
        source = open_source(f"http://me:pa#ss@{host}/x")
        assert isinstance(next(source.frames()), Frame)
        source.close()
        assert source.name == f"http://{host}/x"
        with pytest.raises(UserError, match=r"401 .*check user name and password") as caught:
            open_source(f"http://me:wr0ng@{host}/x")
        assert "wr0ng" not in str(caught.value)


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        # An ESP32-CAM: the first picture's headers come without a boundary before them.
        (
            b"Content-Type: image/jpeg\r\n\r\n"
            + b"\r\n--frame\r\nContent-Type: image/jpeg\r\n\r\n".join(FRAMES[:5]),
            "multipart/x-mixed-replace;boundary=frame",
        ),
        (b"".join(FRAMES[:5]), "multipart/x-mixed-replace"),
        (b"\xff\xd8".join([b"junk", *FRAMES[:5]]), 'multipart/x-mixed-replace; boundary="--a b"'),
    ],
)
def test_mjpeg_is_read_however_its_parts_are_divided(body: bytes, kind: str) -> None:
    with answering(multipart(body, kind)) as host:
        source = open_source(f"HTTP://{host}/stream", give_up=0)
        seen = []
        with contextlib.closing(source), contextlib.suppress(SourceLost):
            for frame in source.frames():
                if isinstance(frame, Frame):
                    seen.append(number_of(frame.gray))
    assert seen
    assert seen[-1] == 4


def test_the_end_of_a_jpeg_is_found_behind_its_thumbnail() -> None:
    thumbnail = b"\xff\xe1" + (len(FRAMES[0]) + 2).to_bytes(2, "big") + FRAMES[0]
    whole = FRAMES[1][:2] + thumbnail + FRAMES[1][2:]
    assert jpeg_end(whole) == len(whole)
    assert jpeg_end(whole + b"\r\n--frame") == len(whole)
    assert all(jpeg_end(whole[:length]) is None for length in range(2, len(whole) - 1))
    cut = FRAMES[2][:-20]
    assert jpeg_end(cut + FRAMES[3]) == len(cut)  # the next one begins


def test_a_picture_that_is_larger_than_it_says_takes_no_memory() -> None:
    bomb = FRAMES[0].replace(b"\x00\x78\x00\xa0", b"\xff\xff\xff\xff", 1)
    assert bomb != FRAMES[0]
    with answering(multipart(b"".join([bomb, bomb, FRAMES[7]]))) as host:
        source = open_source(f"http://{host}/x")
        frame = next(source.frames())
        source.close()
    assert isinstance(frame, Frame)
    assert number_of(frame.gray) == 7


@pytest.mark.parametrize("kind", ["multipart/x-mixed-replace; boundary=frame", "video/mp4"])
def test_an_untrusted_certificate_is_refused_unless_any_is_accepted(kind: str) -> None:
    def answer(request: http.server.BaseHTTPRequestHandler) -> None:
        multipart(b"".join(FRAMES[:4]), kind)(request)

    with answering(answer, tls=True) as host:
        with pytest.raises(UserError, match=r"certificate that is not trusted .*--insecure"):
            open_source(f"https://{host}/x")
        if kind.startswith("multipart"):
            source = open_source(f"https://{host}/x", options=ReadOptions(insecure=True))
            frame = next(source.frames())
            source.close()
            assert isinstance(frame, Frame)
            assert np.ptp(frame.gray) < 3


def test_ffmpeg_checks_certificates_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clip = write_clip(tmp_path / "clip.mp4").read_bytes()
    with answering(plain(200, "video/mp4", clip), tls=True) as host:
        address = f"https://{host}/clip.mp4"
        assert not open_capture(address).isOpened()
        accepted = open_source(address, options=ReadOptions(insecure=True))
        assert len(list(accepted.frames())) == 12
        monkeypatch.setenv("SSL_CERT_FILE", str(DATA / "localhost.pem"))  # now it is trusted
        assert len(list(open_source(address).frames())) == 12


def test_an_rtsp_server_that_refuses_is_quoted_and_tls_checked() -> None:
    def serve(server: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = server.accept()
                with client:
                    client.recv(1000)
                    client.sendall(b"RTSP/1.0 401 Unauthorized\r\nCSeq: 1\r\n\r\n")

    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=serve, args=(server,), daemon=True).start()
        port = server.getsockname()[1]
        with pytest.raises(UserError, match=r"refuses access \(401 Unauthorized\); check user"):
            open_source(f"rtsp://me:no@127.0.0.1:{port}/x")
        with pytest.raises(UserError, match="does not speak TLS"):
            open_source(f"rtsps://127.0.0.1:{port}/x")
