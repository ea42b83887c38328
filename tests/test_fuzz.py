"""Short form of the fuzz campaign: some mutants of every surface, always the same ones."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

FUZZ = Path(__file__).parent.parent / "scripts" / "fuzz"
MUTANTS = {
    "picture": 150,
    "model": 30,
    "zip": 100,
    "csv": 60,
    "session": 100,
    "config": 250,
    "address": 400,
}


@pytest.mark.parametrize("surface", MUTANTS)
def test_every_mutant_is_read_or_refused_in_one_line(surface: str) -> None:
    command = [sys.executable, str(FUZZ), surface, "--mutants", str(MUTANTS[surface])]
    done = subprocess.run(command, capture_output=True, text=True)
    found = json.loads(done.stdout.splitlines()[-1])[surface]
    assert found["failed"] == {}
    assert done.returncode == 0
    assert found["read"] + found["refused"] == MUTANTS[surface]
    assert found["read"] > 0
    assert found["refused"] > 0 or surface == "address"
