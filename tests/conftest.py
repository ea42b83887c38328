"""Fixtures that the tests share: a real small model, the command line, FER-2013 where it is."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from made import BANDS, write_model
from mien.tflite.metadata import Metadata
from mien.tflite.model_file import Model, load_model

# Session fixtures that cost seconds: the tests that use one run in one worker, which makes it once.
SHARED_FIXTURES = ("line", "small_model")
# Files that `make check` leaves out: real processes, servers, networks and waiting.
SLOW_FILES = (
    *("test_api.py", "test_entry_point.py", "test_file_lock.py", "test_log.py", "test_signals.py"),
    *("bench/", "commands/test_run.py", "mqtt/test_outage.py", "outputs/test_anonymize.py"),
    *("sources/test_live.py", "sources/test_stream.py", "systemd/test_notify.py"),
    *("systemd/test_installer.py", "tracking/", "web/test_browser.py", "web/test_connections.py"),
)

# The tests are of the bundled models, whatever this user has installed.
os.environ["XDG_DATA_HOME"] = os.devnull


@pytest.hookimpl(tryfirst=True)  # before xdist reads the groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the slow tests, and group those that share a fixture."""
    edge = Path(__file__).parent / "edge"
    slow = tuple(str(edge / name) for name in SLOW_FILES)
    for item in items:
        if str(item.path).startswith(slow):
            item.add_marker(pytest.mark.slow)
        for name in SHARED_FIXTURES:
            if name in getattr(item, "fixturenames", ()):
                item.add_marker(pytest.mark.xdist_group("convert"))


@pytest.fixture(scope="session")
def fer2013() -> Path:
    """FER-2013's Kaggle zip; the test is skipped where MIEN_TEST_DATA does not name it."""
    path = Path(os.environ.get("MIEN_TEST_DATA", ""))
    if not path.is_file():
        pytest.skip("MIEN_TEST_DATA names no fer2013.zip")
    return path


@pytest.fixture(scope="session")
def shadowing_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A working directory whose modules fail when a child process imports them."""
    folder = tmp_path_factory.mktemp("shadowing")
    for name in ("train", "convert", "edge", "mien", "mien_train", "mien_convert", "numpy", "cv2"):
        (folder / f"{name}.py").write_text("raise SystemExit(__file__ + ' was imported')\n")
    return folder


@pytest.fixture(scope="session")
def metadata() -> Metadata:
    """What the small model says of itself; `dataclasses.replace` makes another."""
    return BANDS


@pytest.fixture(scope="session")
def model_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model file that reads the brightest of seven bands as the class; see made.band_face."""
    return write_model(tmp_path_factory.mktemp("model") / "bands.tflite")


@pytest.fixture(scope="session")
def model(model_path: Path) -> Model:
    """The same, loaded."""
    return load_model(model_path)


@pytest.fixture
def mien(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str, str]]:
    """Return a function that runs `mien` in this process: exit code, stdout, stderr."""
    from mien.cli import main

    def run(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["mien", *map(str, arguments)])
        capfd.readouterr()
        code = 0
        try:
            main()
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else int(end.code is not None)
        return code, *capfd.readouterr()

    return run
