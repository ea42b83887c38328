"""A made-up token: on a terminal, or in a file for its owner alone, and never in a log."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import time
from pathlib import Path

import pytest
from made import is_one_sentence
from mjpeg_server import serving
from running import PATIENCE, START

pytest.importorskip("starlette")
pytest.importorskip("uvicorn")

from mien.errors import UserError
from mien.web.access_token import stored_token
from visiting import get, served


def test_away_from_a_terminal_it_is_in_a_file_and_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STATE_DIRECTORY", f"{tmp_path / 'mien'}:/var/lib/other")
    file = tmp_path / "mien" / "page-token"
    with served("0.0.0.0:0", terminal=False) as page:
        token = file.read_text().strip()
        assert page.token == token
        assert token not in page.sentence
        assert page.sentence.endswith(f"asks for the token in {file}")
        assert get(page, "/api/state")[0] == 401
        assert get(page, "/api/state", Authorization=f"Bearer {token}")[0] == 200
    with served("0.0.0.0:0", terminal=False) as page:  # a restart asks nobody anew
        assert page.token == token
    with served("0.0.0.0:0", terminal=True) as page:
        assert page.token != token
        assert page.sentence.endswith(f"/?token={page.token}")
    with served("0.0.0.0:0", token="one-of-my-own", terminal=False) as page:
        assert page.token == "one-of-my-own"
    with served("127.0.0.1:0", terminal=False) as page:
        assert page.token is None


def test_the_file_is_its_owner_s_alone(tmp_path: Path) -> None:
    here = {"HOME": str(tmp_path)}
    before = os.umask(0)
    try:
        token, file = stored_token(here)
    finally:
        os.umask(before)
    assert file == tmp_path / ".local/state/mien/page-token"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert len(token) >= 20
    assert stored_token(here)[0] == token
    assert stored_token({**here, "XDG_STATE_HOME": str(tmp_path / "state")})[0] != token
    file.chmod(0o640)  # somebody may have read it
    assert stored_token(here)[0] != token
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    file.write_text("short\n")
    assert len(stored_token(here)[0]) >= 20
    (tmp_path / "elsewhere").write_text("a-token-that-another-chose\n")
    file.unlink()
    file.symlink_to(tmp_path / "elsewhere")
    assert stored_token(here)[0] != "a-token-that-another-chose"
    assert [path.name for path in file.parent.iterdir()] == ["page-token"]
    with pytest.raises(UserError, match="MIEN_TOKEN"):
        stored_token({"STATE_DIRECTORY": str(tmp_path / "elsewhere" / "state")})


def test_a_run_s_log_does_not_hold_it(tmp_path: Path) -> None:
    log, state = tmp_path / "log", tmp_path / "state"
    with serving() as stream, log.open("w") as both:
        words = ["--config", "none", "--web", "0.0.0.0:0"]
        process = subprocess.Popen(
            [*START, f"{stream}/ok", *words],
            stdout=both,
            stderr=both,
            env={**os.environ, "STATE_DIRECTORY": str(state)},
        )
        try:
            end = time.monotonic() + 60 * PATIENCE
            while "the page is at" not in log.read_text():
                assert time.monotonic() < end
                time.sleep(0.1)
            process.send_signal(signal.SIGTERM)
            assert process.wait(60 * PATIENCE) == 0
        finally:
            process.kill()
            process.wait()
    token = (state / "page-token").read_text().strip()
    assert len(token) >= 20
    assert token not in log.read_text()
    assert str(state / "page-token") in log.read_text()


def test_no_place_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with serving() as stream:
        done = subprocess.run(
            [*START, f"{stream}/ok", "--config", "none", "--web", "0.0.0.0:0"],
            capture_output=True,
            text=True,
            env={**os.environ, "STATE_DIRECTORY": str(tmp_path / "file" / "below")},
        )
    assert done.returncode == 2
    assert is_one_sentence(done.stderr, "MIEN_TOKEN", "Not a directory")
