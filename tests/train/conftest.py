"""A small FER-2013 with everything that is wrong with the real one, and the command line."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from mien_train.data.fer2013 import Dataset, load
from small_fer import write_bad, write_clean, write_copies


@pytest.fixture(scope="session")
def fer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in Kaggle's layout with copies, conflicts and bad files; read only."""
    folder = tmp_path_factory.mktemp("fer") / "fer2013"
    write_clean(folder)
    write_copies(folder)
    write_bad(folder)
    return folder


@pytest.fixture(scope="session")
def real(fer2013: Path) -> Dataset:
    """FER-2013 itself, where MIEN_TEST_DATA names it."""
    return load(fer2013)


@pytest.fixture
def clean(tmp_path: Path) -> Path:
    """A folder without a fault, for one test to spoil."""
    folder = tmp_path / "fer2013"
    write_clean(folder)
    return folder


@pytest.fixture
def mien_train(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str, str]]:
    """Return a function that runs `mien-train` in this process: exit code, stdout, stderr."""
    from mien_train.cli import main

    def run(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["mien-train", *map(str, arguments)])
        capfd.readouterr()
        code = 0
        try:
            main()
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 1 if end.code else 0
        return code, *capfd.readouterr()

    return run
