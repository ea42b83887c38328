"""The page in a real browser, where there is one: live picture, bars, timeline, token, phone."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import cv2
import numpy as np
import pytest
from chromium import Browser, browsing

pytest.importorskip("starlette")
pytest.importorskip("uvicorn")
pytest.importorskip("prometheus_client")

from mien.sources.base import Change
from mien.web.server import WebOutput
from visiting import face, seen, served

TOKEN = "for-the-browser"


class Feeder:
    """Frames as a camera gives them, with a face that walks to and fro."""

    def __init__(self, output: WebOutput) -> None:
        self.output = output
        self.emotion = "happy"
        self.running = True
        self.fed = True
        self._thread = threading.Thread(target=self._feed)
        self._thread.start()

    def _feed(self) -> None:
        index = 0
        while self.running:
            index += 1
            if self.fed:
                x = 20 + 10 * (index % 20)
                self.output.write(*seen(index, face(self.emotion, (x, 60, 60, 60))))
            time.sleep(1 / 15)

    def end(self) -> None:
        self.running = False
        self._thread.join()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with browsing() as opened:
        yield opened


@pytest.fixture
def feeder() -> Iterator[Feeder]:
    with served(token=TOKEN) as output:
        feeding = Feeder(output)
        yield feeding
        feeding.end()


def look(browser: Browser) -> np.ndarray:
    return cv2.imdecode(np.frombuffer(browser.screenshot(), np.uint8), cv2.IMREAD_COLOR)


def place_of_box(screen: np.ndarray) -> float:
    """Return the mean column of what is as amber as a drawn box."""
    amber = abs(screen.astype(int) - (60, 210, 255)).max(axis=2) < 40
    assert amber.sum() > 200
    return float(np.nonzero(amber)[1].mean())


def test_the_page_lives(browser: Browser, feeder: Feeder) -> None:
    output = feeder.output
    browser.size(1000, 800)
    browser.open(output.url)
    browser.until("document.querySelector('input[name=token]') !== null")
    browser.js(
        f"document.querySelector('input').value = {TOKEN!r};document.querySelector('form').submit()"
    )
    browser.until("document.querySelector('#camera')?.dataset.state === 'running'")
    browser.until("document.querySelector('#live').naturalWidth === 320")
    places = set()
    for _ in range(12):
        places.add(round(place_of_box(look(browser))))
        time.sleep(0.15)
        if len(places) >= 3:
            break
    assert len(places) >= 3  # the box moves
    assert browser.js("document.querySelector('.face h3').innerText").startswith("happy")
    feeder.emotion = "sad"
    browser.until("document.querySelector('.face h3 span').textContent === 'sad'")
    browser.until("document.querySelector('#moments').textContent.includes('sad')")
    assert browser.js("document.querySelector('.bar.first span').textContent") == "sad"
    heights = browser.js(
        "(() => { document.querySelector('.bar.first span:last-child').textContent = '100 %';"
        "return [...document.querySelectorAll('.bar')].map(b => b.offsetHeight) })()"
    )
    assert len(set(heights)) == 1  # the widest figure, in bold, stays on its line
    assert float(browser.js("document.querySelector('#fps').textContent")) > 3
    assert browser.js("document.querySelector('#temperature').textContent") == "52 °C"
    colours = browser.until(
        "(() => { const c = document.querySelector('#chart'); const d = c.getContext('2d')"
        ".getImageData(0, 0, c.width, c.height).data; const s = new Set();"
        "for (let i = 0; i < d.length; i += 4) s.add(d[i] + ',' + d[i+1] + ',' + d[i+2]);"
        "return s.has('240,168,24') && s.has('59,125,216') && s.size })()"
    )  # happy's colour and sad's
    assert colours >= 3
    feeder.fed = False
    output.changed(Change("lost", 9.0, "The cable is out."))
    browser.until("document.querySelector('#curtain.drawn')?.textContent.includes('cable')")
    assert browser.js("document.querySelectorAll('.bar').length") == 0
    feeder.fed = True
    browser.until("document.querySelector('#camera').dataset.state === 'running'")
    browser.size(390, 844, phone=True)
    browser.until("innerWidth === 390 && document.body.clientWidth === 390")
    assert browser.js("document.documentElement.scrollWidth") == 390  # nothing sticks out
    width = browser.js("document.querySelector('#picture').getBoundingClientRect().width")
    assert width > 340
    assert browser.complaints() == [
        c
        for c in browser.complaints()
        if "401" in c  # the one answer that asked for the token
    ]
    asked = {url for url in browser.requested() if not url.startswith(("data:", "about:"))}
    assert asked
    assert all(url.startswith(output.url) for url in asked)


def test_a_hidden_or_closed_page_costs_nothing(browser: Browser, feeder: Feeder) -> None:
    output = feeder.output
    browser.open(f"{output.url}?token={TOKEN}")
    browser.until("document.querySelector('#live')?.naturalWidth === 320")
    assert "token" not in browser.js("location.href")
    browser.open("about:blank")
    end = time.monotonic() + 10
    while output.broadcaster.viewers and time.monotonic() < end:
        time.sleep(0.05)
    before = output.broadcaster.encoded
    time.sleep(0.5)
    assert output.broadcaster.encoded == before
