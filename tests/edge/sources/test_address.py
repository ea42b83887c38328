"""Addresses: taken apart whatever their password, and never shown with it."""

from __future__ import annotations

import pytest
from mien.errors import UserError
from mien.sources import open_source
from mien.sources.address import is_address, parse_address, public

SECRETS = [
    ("rtsp://me:s3cret@camera:554/a", "rtsp://camera:554/a"),
    ("rtsp://me:pa#s3cret@camera/a", "rtsp://camera/a"),
    ("rtsp://me:pa/s3cret@camera/a", "rtsp://camera/a"),
    ("rtsp://me:pa?s3cret@camera/a", "rtsp://camera/a"),
    ("rtsp://me:pa[s3cret@camera/a", "rtsp://camera/a"),
    ("rtsp://me:pa@s3cret@camera/a", "rtsp://camera/a"),
    ("rtsp://me:pa%s3cret@camera/a", "rtsp://camera/a"),
    ("rtsp://me:12/s3cret@camera/a", "rtsp://camera/a"),
    ("RTSP://me:s3cret@[fe80::1]:554/a", "rtsp://[fe80::1]:554/a"),
    ("http://camera/video?user=me&pwd=s3cret", "http://camera/video?..."),
    ("http://camera/video?user=m@e&pwd=s3cret", "http://..."),
    ("http://camera/video?pwd=s3@cret", "http://..."),
    ("http://camera/video#s3cret", "http://camera/video"),
    ("http://camera/live/video&user=me&pwd=s3cret", "http://camera/live/..."),
    ("http://camera/video;pwd=s3cret?a", "http://camera/...?..."),
    ("rtsp:me:s3cret@camera/a", "rtsp://camera/a"),
    ("rtsp:/me:s3cret@camera/a", "rtsp://camera/a"),
    ("rtsp://me:s3cret", "rtsp://..."),
    ("me:s3cret@camera", "camera"),
    ("http://me:s3cret@camera/\x1b[2J", "http://camera/\\x1b[2J"),
]


@pytest.mark.parametrize(("text", "shown"), SECRETS)
def test_what_may_be_a_secret_is_not_shown(text: str, shown: str) -> None:
    assert public(text) == shown
    assert "s3" not in shown
    assert "cret" not in shown


@pytest.mark.parametrize("text", [text for text, _ in SECRETS])
def test_no_message_shows_a_secret(text: str) -> None:
    text = text.replace("camera", "127.0.0.1:9").replace(":9:554", ":9")
    with pytest.raises(UserError) as caught:
        open_source(text)
    assert "s3" not in str(caught.value)
    assert "cret" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "user", "password", "url", "full"),
    [
        ("HTTP://camera/a", None, None, "http://camera/a", "http://camera/a"),
        (
            "rtsp://me:pa#ss@camera/a",
            *("me", "pa#ss", "rtsp://camera/a", "rtsp://me:pa%23ss@camera/a"),
        ),
        (
            "rtsp://me:p%40ss@camera/a",
            *("me", "p@ss", "rtsp://camera/a", "rtsp://me:p%40ss@camera/a"),
        ),
        ("rtsp://me:1/2@camera", "me", "1/2", "rtsp://camera", "rtsp://me:1%2F2@camera"),
        ("rtsp://me@camera", "me", None, "rtsp://camera", "rtsp://me@camera"),
        ("http://camera:8080/a@b", None, None, "http://camera:8080/a@b", "http://camera:8080/a@b"),
        ("http://[::1]:80/a?b=c", None, None, "http://[::1]:80/a?b=c", "http://[::1]:80/a?b=c"),
    ],
)
def test_the_parts_of_an_address(
    text: str, user: str | None, password: str | None, url: str, full: str
) -> None:
    address = parse_address(text)
    assert (address.user, address.password, address.url, address.full) == (
        *(user, password, url, full),
    )


def test_host_and_port() -> None:
    assert [
        (address.host, address.port)
        for address in map(
            parse_address,
            ("rtsp://[::1]/a", "rtsps://camera", "http://a.b:8080/c:9", "https://me:1@x/?y=:5"),
        )
    ] == [("::1", 554), ("camera", 322), ("a.b", 8080), ("x", 443)]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("ftp://camera/a", "ftp is not read; use http, https, rtsp"),
        ("rtsp:camera/a", "two slashes"),
        ("rtsp://", "is not a valid address"),
        ("rtsp://a b/c", "is not a valid address"),
        ("http://camera:port/a", "is not a valid address"),
    ],
)
def test_an_address_that_cannot_be_used_is_refused(text: str, words: str) -> None:
    assert is_address(text)
    with pytest.raises(UserError, match=words):
        parse_address(text)
