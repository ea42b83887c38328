"""The page in a real browser, where there is one: live picture, bars, timeline, token, phone."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import replace

import cv2
import numpy as np
import pytest
from chromium import Browser, browsing

pytest.importorskip("starlette")
pytest.importorskip("uvicorn")
pytest.importorskip("prometheus_client")

from mien.alertness.signals import Alertness
from mien.sources.base import Change
from mien.sources.pausable import PauseSwitch
from mien.web.server import WebOutput
from visiting import face, seen, served

TOKEN = "for-the-browser"


class Feeder:
    """Frames as a camera gives them, with a face that walks to and fro."""

    def __init__(self, output: WebOutput, pause: PauseSwitch | None = None) -> None:
        self.output = output
        self.pause = pause
        self.emotion = "happy"
        self.running = True
        self.fed = True
        self._thread = threading.Thread(target=self._feed)
        self._thread.start()

    def _feed(self) -> None:
        index = 0
        while self.running:
            index += 1
            if self.fed and not (self.pause and self.pause.paused):
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
    assert browser.js("document.querySelector('.face h3 span').textContent") == "happy"
    assert browser.js("document.querySelector('.face .badge').textContent") == "1"
    badge = "getComputedStyle(document.querySelector('.face .badge')).backgroundColor"
    assert browser.js(badge) == "rgb(255, 210, 60)"  # of the box
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
    assert_nothing_stale(browser)
    assert "lost" in browser.js("document.querySelector('#alert').textContent")
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


def assert_nothing_stale(browser: Browser) -> None:
    """Neither picture nor face nor figure of the past is shown."""
    assert not browser.js("document.querySelector('#live').hasAttribute('src')")
    assert "No picture" in browser.js("document.querySelector('#curtain.drawn').textContent")
    assert browser.js("document.querySelectorAll('.bar').length") == 0
    figures = browser.js("[...document.querySelectorAll('#figures dd')].map(d => d.textContent)")
    assert figures == ["\u2013"] * 5
    assert browser.js("document.querySelector('#snapshot').hidden")


def test_the_camera_is_paused_and_goes_on(browser: Browser) -> None:
    pause = PauseSwitch()
    with served(pause=pause) as output:
        feeding = Feeder(output, pause)
        browser.open(output.url)
        browser.until("document.querySelector('#camera')?.dataset.state === 'running'")
        browser.until("!document.querySelector('#pause').hidden")
        browser.js("document.querySelector('#pause').click()")
        browser.until("document.querySelector('#camera').dataset.state === 'paused'")
        assert pause.paused
        assert_nothing_stale(browser)
        assert browser.js("document.querySelector('#pause').textContent") == "Resume"
        browser.js("document.querySelector('#pause').click()")
        browser.until("document.querySelector('#camera').dataset.state === 'running'")
        browser.until("document.querySelector('#live').naturalWidth === 320")
        feeding.end()


def test_all_faces_have_cards_and_the_time_span_is_chosen(browser: Browser) -> None:
    with served() as output:
        faces = [face("happy", (10 + 40 * k, 60, 30, 30), k + 1) for k in range(7)]
        output.write(*seen(0, *faces))
        browser.open(output.url)
        browser.until("document.querySelectorAll('.face .badge').length === 7")
        numbers = "[...document.querySelectorAll('.badge')].map(b => b.textContent).join()"
        assert browser.js(numbers) == "1,2,3,4,5,6,7"
        shades = (
            "new Set([...document.querySelectorAll('.badge')].map(b => b.style.background)).size"
        )
        assert browser.js(shades) == 7
        browser.js("document.querySelector('[data-minutes=\"1440\"]').click()")
        browser.until("step === 60 && seconds.length > 0")
        pressed = "document.querySelector('[aria-pressed=true]').textContent"
        assert browser.js(pressed) == "24 h"
        unnamed = (
            "[...document.querySelectorAll('button, a, input')]"
            ".filter(e => !e.textContent && !e.labels?.length).length"
        )
        assert browser.js(unnamed) == 0


def test_an_alertness_event_is_a_banner_until_it_ends(browser: Browser) -> None:
    banner = "document.querySelector('#alarm')"
    with served() as output:
        plain, result = seen(0, face("happy"))

        def show(active: tuple[str, ...]) -> None:
            faces = (replace(result.faces[0], alertness=Alertness(active=active)),)
            output.write(plain, replace(result, faces=faces))

        show(())
        browser.open(output.url)
        browser.until("document.querySelector('#camera')?.dataset.state === 'running'")
        assert browser.js(f"{banner}.hidden")
        show(("long_blink", "perclos", "microsleep"))
        browser.until(f"!{banner}.hidden")
        assert browser.js(f"{banner}.textContent") == "Microsleep"
        assert browser.js(f"{banner}.getBoundingClientRect().height") > 20
        show(())
        browser.until(f"{banner}.hidden")


def test_a_server_that_is_gone_looks_gone(browser: Browser) -> None:
    with served() as output:
        output.write(*seen(0, face("happy")))
        browser.open(output.url)
        browser.until("document.querySelector('#camera')?.dataset.state === 'running'")
        browser.js("showAlert([{ alertness: { active: ['microsleep'] } }])")
    browser.until("document.querySelector('#camera').dataset.state === 'offline'")
    assert browser.js("document.querySelector('#alarm').hidden")
    assert_nothing_stale(browser)
    assert "Reconnecting" in browser.js("document.querySelector('#curtain').textContent")
    assert browser.js("document.querySelector('#pause').hidden")


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
