"""Calibration on the page: a real server, a real model, and a browser where there is one."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from chromium import browsing
from made import LABELS, band_face, write_model

pytest.importorskip("starlette")
pytest.importorskip("uvicorn")
pytest.importorskip("prometheus_client")

from mien.boxes import face_to_square
from mien.classification.prediction import Prediction
from mien.classification.profile import Profile, load_profile
from mien.pipeline.results import Face, FrameResult
from mien.sources.base import Frame
from mien.tflite.metadata import Crop
from mien.tflite.model_file import load_model
from mien.web import calibration
from mien.web.calibration import Calibrator
from mien.web.server import WebOutput
from visiting import get, get_json, served

SWAP = {"angry": "sad", "sad": "angry"}  # this person's anger looks sad to the model
TOKEN = "for-the-calibration"
BOX = (100, 60, 40, 48)


class Person:
    """A camera with one person, who shows what is asked for in their own way."""

    def __init__(self, output: WebOutput) -> None:
        self.output = output
        self.index = 0

    def show(self, label: str, seconds: float = 3.2) -> None:
        for _ in range(round(seconds * 10)):
            self.frame(label)

    def frame(self, label: str) -> None:
        self.index += 1
        x, y, side, _ = face_to_square(BOX)
        pixels = band_face(LABELS.index(SWAP.get(label, label)), self.index)
        gray = np.full((240, 320), 128, np.uint8)
        gray[y : y + side, x : x + side] = _resized(pixels, side)
        color = np.repeat(gray[..., None], 3, axis=2)
        probabilities = dict.fromkeys(LABELS, 1 / 7)
        seen = Face(BOX, Prediction("happy", 0.9, probabilities), 1)
        at = self.index / 10
        result = FrameResult(self.index, at, (seen,), {"total": 5.0}, 0.04)
        self.output.write(Frame(self.index, at, gray, color), result)


def _resized(pixels: np.ndarray, side: int) -> np.ndarray:
    return cv2.resize(pixels, (side, side), interpolation=cv2.INTER_NEAREST)


@pytest.fixture
def applied() -> list[Profile]:
    return []


@pytest.fixture
def page(tmp_path: Path, applied: list[Profile]) -> Iterator[Callable[..., WebOutput]]:
    """Return a function that serves a page which can calibrate."""
    with contextlib.ExitStack() as stack:

        def serve(blur: bool = False, token: str | None = None) -> WebOutput:
            model = load_model(write_model(tmp_path / "bands.tflite", crop=Crop(0.0)))
            (tmp_path / "profiles").mkdir()
            calibrator = Calibrator(model, tmp_path / "profiles", applied.append, blur)
            return stack.enter_context(served(token=token, blur=blur, calibrator=calibrator))

        yield serve


def post(output: WebOutput, content: Any, **headers: str) -> tuple[int, Any]:
    given = {"Content_Type": "application/json", **headers}
    code, _, body = get(output, "/api/calibration", "POST", json.dumps(content), **given)
    return code, json.loads(body) if code == 200 else body.decode()


def takes(output: WebOutput, labels: tuple[str, ...] = LABELS, rounds: int = 2) -> None:
    person = Person(output)
    for label in labels * rounds:
        code, _ = post(output, {"take": label})
        assert code == 200
        person.show(label)


def test_a_profile_is_made_saved_and_applied(
    page: Callable[..., WebOutput], applied: list[Profile], tmp_path: Path
) -> None:
    output = page()
    assert get_json(output, "/api/state")["can_calibrate"]
    takes(output)
    state = get_json(output, "/api/calibration")
    assert not state["capturing"]
    assert [take["label"] for take in state["takes"]] == list(LABELS) * 2
    angry = state["takes"][0]
    assert angry["predictions"] == 30
    assert angry["read"] == {"sad": 30}
    code, headers, jpeg = get(output, "/api/calibration/1.jpg")
    assert (code, headers["content-type"], jpeg[:2]) == (200, "image/jpeg", b"\xff\xd8")
    assert headers["cache-control"] == "no-store"
    code, found = post(output, {"finish": "anna"})
    assert code == 200
    file = tmp_path / "profiles" / "anna.profile.json"
    assert found == {"total": 42, "before": 30, "after": 42, "reason": "", "file": str(file)}
    assert [profile.name for profile in applied] == ["anna"]
    assert load_profile(file, load_model(tmp_path / "bands.tflite").metadata) == applied[0]
    assert get_json(output, "/api/state")["name"] == "clip.mp4, profile anna"
    # The pictures have gone with the calibration.
    assert get(output, "/api/calibration/1.jpg")[0] == 404
    assert get_json(output, "/api/calibration")["takes"] == []
    assert [path.name for path in tmp_path.joinpath("profiles").iterdir()] == [file.name]


def test_a_person_whom_the_model_reads_gets_no_profile(
    page: Callable[..., WebOutput], applied: list[Profile], tmp_path: Path
) -> None:
    output = page()
    takes(output, ("happy", "neutral"))
    code, found = post(output, {"finish": "bob"})
    assert (code, found["file"], found["before"]) == (200, None, found["total"])
    assert found["reason"]
    assert applied == []
    assert list(tmp_path.joinpath("profiles").iterdir()) == []


@pytest.mark.parametrize(
    ("content", "code", "words"),
    [
        ({"take": "bored"}, 409, "choose one of angry"),
        ({"finish": "../x"}, 409, "A name has letters"),
        ({"finish": "anna"}, 409, "No face was captured"),
        ({"take": 3}, 400, "Send JSON"),
        ({"take": "happy", "finish": "x"}, 400, "Send JSON"),
        ([], 400, "Send JSON"),
        ({"discard": True, "more": 1}, 400, "Send JSON"),
    ],
)
def test_what_makes_no_sense_is_refused(
    page: Callable[..., WebOutput], content: Any, code: int, words: str
) -> None:
    output = page()
    found, text = post(output, content)
    assert (found, words in text) == (code, True)


def test_a_take_is_not_begun_during_another(page: Callable[..., WebOutput]) -> None:
    output = page()
    post(output, {"take": "happy"})
    assert post(output, {"take": "sad"})[0] == 409
    assert post(output, {"finish": "anna"})[0] == 409
    Person(output).show("happy")
    assert post(output, {"take": "sad"})[0] == 200


def test_it_needs_the_token_and_json_and_a_run_that_can(page: Callable[..., WebOutput]) -> None:
    output = page(token=TOKEN)
    assert post(output, {"take": "happy"})[0] == 401
    assert get(output, "/api/calibration/1.jpg")[0] == 401
    bearer = {"Authorization": f"Bearer {TOKEN}"}
    assert post(output, {"take": "happy"}, **bearer)[0] == 200
    form = {"Content_Type": "text/plain", **bearer}
    assert get(output, "/api/calibration", "POST", '{"take": "sad"}', **form)[0] == 415
    with served() as plain:
        assert not get_json(plain, "/api/state")["can_calibrate"]
        assert get(plain, "/api/calibration")[0] == 409


def test_hidden_faces_leave_no_thumbnail(page: Callable[..., WebOutput]) -> None:
    output = page(blur=True)
    takes(output, ("happy",), 1)
    (take,) = get_json(output, "/api/calibration")["takes"]
    assert take["predictions"] == 30
    assert not take["thumbnail"]
    assert get(output, "/api/calibration/1.jpg")[0] == 404


def test_what_nobody_asks_for_any_more_is_forgotten(
    page: Callable[..., WebOutput], monkeypatch: pytest.MonkeyPatch
) -> None:
    output = page()
    takes(output, ("happy",), 1)
    monkeypatch.setattr(calibration, "IDLE_S", 0.0)
    Person(output).frame("happy")
    assert get_json(output, "/api/calibration")["takes"] == []


def test_a_folder_that_cannot_be_written_is_named(
    page: Callable[..., WebOutput], tmp_path: Path
) -> None:
    output = page()
    takes(output, ("happy", "sad"))
    tmp_path.joinpath("profiles").rmdir()
    code, text = post(output, {"finish": "anna"})
    assert (code, "does not exist" in text) == (409, True)
    assert len(get_json(output, "/api/calibration")["takes"]) == 4  # for another try


def test_the_panel_asks_captures_and_makes_a_profile(
    page: Callable[..., WebOutput], applied: list[Profile]
) -> None:
    output = page()
    person = Person(output)
    asked = {"label": "neutral", "on": True}

    def film() -> None:
        while asked["on"]:
            person.frame(str(asked["label"]))
            time.sleep(0.02)

    camera = threading.Thread(target=film)
    camera.start()
    try:
        with browsing() as browser:
            browser.size(390, 844, phone=True)
            browser.open(output.url)
            browser.until("document.querySelector('#calibrate')?.hidden === false")
            browser.js("document.querySelector('#calibrate').click()")
            browser.until("document.querySelector('#step').textContent.includes('show “angry”')")
            skip = "document.querySelector('#skip').click()"
            browser.js(skip)
            browser.until("document.querySelector('#step').textContent.startsWith('Step 2 of 14')")
            for _ in range(2):  # to happy
                browser.js(skip)
            asked["label"] = "happy"
            browser.js("document.querySelector('#take').click()")
            browser.until("document.querySelector('#count-down').textContent.includes('Happy in')")
            browser.until("document.querySelectorAll('#takes li').length === 1")
            words = browser.js("document.querySelector('#takes li').textContent")
            assert words == "Happy read as happy 30"
            browser.until("document.querySelector('#takes img').naturalWidth === 96")
            assert browser.js("document.documentElement.scrollWidth") == 390
            browser.until("document.querySelector('#step').textContent.includes('show “neutral”')")
            asked["label"] = "neutral"
            browser.js("document.querySelector('#take').click()")
            browser.until("document.querySelectorAll('#takes li').length === 2")
            browser.js("document.querySelector('#finish button').click()")
            browser.until("document.querySelector('#verdict').textContent.includes('No profile')")
            verdict = browser.js("document.querySelector('#verdict').textContent")
            assert "reads 6 of 6 of your own pictures, 6 before" in verdict
            browser.js("document.querySelector('#cancel').click()")
            browser.until("document.querySelector('#calibration').hidden")
            assert browser.complaints() == []
    finally:
        asked["on"] = False
        camera.join()
