"""What a viewer costs: the bench of it, with real pages, viewers and sockets."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

pytest.importorskip("starlette")
pytest.importorskip("uvicorn")


def test_one_who_reads_gets_pictures_and_one_who_stops_gets_no_more() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "mien.bench.viewer", "5"], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    none, reads, stopped = (
        found[f"{who}"] for who in ("no viewer", "one who reads", "one who stopped")
    )
    assert none["frames"] == reads["frames"] == stopped["frames"] == 125
    assert none["pictures"] == 0
    # What the sockets hold is sent on; then it is over.
    assert stopped["pictures"] < 0.5 * reads["pictures"]
    assert 0 < none["loop_cpu_ms"] <= none["cpu_ms"] < reads["cpu_ms"]
    assert found["stalled_percent"]["cpu_ms"] < 100 * (reads["cpu_ms"] / none["cpu_ms"] - 1)
    assert "a viewer who has stopped" in done.stdout
