"""Two processes train one network as one process does, and only the first writes."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from mien.errors import UserError
from mien_train.distributed import parse_hosts

PROGRAM = Path(__file__).with_name("one_host.py")


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("localhost", 0))
        return int(listener.getsockname()[1])


def start(run: Path, hosts: str = "", index: str = "") -> subprocess.Popen[str]:
    environment = {**os.environ, "KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu"}
    return subprocess.Popen(
        [sys.executable, str(PROGRAM), str(run), hosts, index],
        env=environment | {"PYTHONPATH": str(PROGRAM.parents[2])},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def result(process: subprocess.Popen[str]) -> dict:
    out, err = process.communicate(timeout=400)
    assert process.returncode == 0, err[-3000:]
    return json.loads(out.splitlines()[-1])


def test_training_on_two_hosts_ends_with_the_weights_of_one(tmp_path: Path) -> None:
    pytest.importorskip("jax")
    hosts = f"localhost:{free_port()},localhost:{free_port()}"
    alone = start(tmp_path / "alone")
    both = [start(tmp_path / f"host{i}", hosts, str(i)) for i in range(2)]
    single, first, second = (result(process) for process in (alone, *both))
    assert (single["place"], first["place"], second["place"]) == ([0, 1], [0, 2], [1, 2])
    assert first["digest"] == second["digest"]
    assert first["loss"] == second["loss"]
    # The same batches, only shared: BatchNorm's statistics are those of the whole batch, too.
    assert first["loss"] == pytest.approx(single["loss"], rel=1e-3)
    assert first["best"]["accuracy"] == pytest.approx(single["best"]["accuracy"], abs=0.05)
    assert first["resumed"] == second["resumed"] == ["all", 2, True]
    # All are stopped where one has other images; one alone differs from nobody.
    assert single["difference"] is None
    assert "differ in images" in first["difference"]
    assert "differ in images" in second["difference"]
    assert (tmp_path / "host0" / "model.keras").is_file()
    assert len((tmp_path / "host0" / "log.csv").read_text().splitlines()) == 3
    assert not (tmp_path / "host1").exists()


@pytest.mark.parametrize(
    ("hosts", "index", "backend", "words"),
    [
        ("pc1:7000", 0, "jax", "every machine with a port"),
        ("pc1,pc2", 0, "jax", "every machine with a port"),
        (None, 1, "jax", "every machine with a port"),
        ("pc1:7000,pc2:7000", None, "jax", "0 to 1"),
        ("pc1:7000,pc2:7000", 2, "jax", "0 to 1"),
        ("pc1:7000,pc2:7000", 0, "tensorflow", "KERAS_BACKEND=jax"),
    ],
)
def test_parse_hosts_with_unfit_options_raises(
    hosts: str | None, index: int | None, backend: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KERAS_BACKEND", backend)
    with pytest.raises(UserError, match=words):
        parse_hosts(hosts, index)


def test_require_divisible_with_an_uneven_batch_raises(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("jax")
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    hosts = parse_hosts("pc1:7000,pc2:7000,pc3:7000", 1)
    assert hosts is not None
    hosts.require_divisible(63)
    with pytest.raises(UserError, match="multiple"):
        hosts.require_divisible(64)
    assert parse_hosts(None, None) is None
