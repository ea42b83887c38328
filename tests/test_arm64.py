"""`make arm64`: what compares the logits, and what is left out under emulation."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from mien.classification.classifier import Classifier
from mien.tflite.model_file import load_model

ROOT = Path(__file__).parent.parent
LOGITS = ROOT / "scripts" / "arm64" / "logits.py"
LEFT_OUT = ROOT / "tests" / "edge" / "not-emulated.txt"


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """Logits of ten faces on x86 and on a system that gives the same."""
    step = Classifier(load_model("mien")).step
    logits = np.random.default_rng(3).integers(-60, 60, (10, 7)).astype(np.float32) * step
    logits[0] = [0, 0, 0, 20 * step, 19 * step, 0, 0]
    about = {"python": "3.13.5", "interpreter": "ai-edge-litert 2.3.0", "xnnpack": True}
    (tmp_path / "trixie").mkdir()
    for name in ("x86.npz", "trixie/logits.npz"):
        np.savez_compressed(tmp_path / name, about=np.array(json.dumps(about)), **both(logits))
    return tmp_path


def both(logits: np.ndarray) -> dict[str, np.ndarray]:
    """The logits of the set and of a machine's own faces."""
    return {"mien": logits, "mien:own": logits[:4]}


def compare(results: Path, *more: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, LOGITS, "compare", results, *more]
    return subprocess.run([str(word) for word in command], capture_output=True, text=True)


def change(results: Path, steps: int, **about: object) -> None:
    """Move the second logit from the top of the first face by so many steps."""
    file = results / "trixie" / "logits.npz"
    found = np.load(file)
    logits = found["mien"].copy()
    logits[0, 4] += steps * Classifier(load_model("mien")).step
    told = {**json.loads(str(found["about"])), **about}
    np.savez_compressed(file, about=np.array(json.dumps(told)), **both(logits))


def test_what_is_the_same_is_called_so(results: Path) -> None:
    done = compare(results)
    assert done.returncode == 0, done.stderr
    (row,) = [line for line in done.stdout.splitlines() if "trixie" in line]
    assert "| XNNPACK | `mien` | 0 | 0.000 | 100.0% | 100.0% | 0 | 0.000 | 0 of 4 |" in row


def test_a_step_is_told_and_two_are_too_many(results: Path) -> None:
    change(results, 1)
    done = compare(results)
    assert done.returncode == 0
    assert "| 1 | 0.014 | 98.6% | 90.0% | 0 |" in done.stdout
    change(results, 1)
    done = compare(results)
    assert done.returncode == 1
    assert "| 2 | 0.029 | 98.6% | 90.0% | 1 |" in done.stdout  # and another label
    assert "| 1 of 4 |" in done.stdout
    assert "trixie: mien differs by 2 steps, and 1 is allowed" in done.stderr
    change(results, 0, xnnpack=False)  # other kernels round otherwise
    assert compare(results).returncode == 0


def test_nothing_to_compare_is_no_success(results: Path) -> None:
    (results / "trixie" / "logits.npz").unlink()
    assert compare(results).returncode == 1


def test_the_table_goes_into_the_docs(results: Path) -> None:
    docs = results / "arm.md"
    text = (ROOT / "docs" / "arm.md").read_text()
    docs.write_text(text)
    assert compare(results, "--docs", docs).returncode == 0
    first = docs.read_text()
    assert first != text
    assert first.startswith(text[: text.index("<!--")])
    assert first.endswith(text[text.index("<!-- end -->") :])
    assert compare(results, "--docs", docs).returncode == 0
    assert docs.read_text() == first


def test_what_is_left_out_is_there_and_has_a_reason() -> None:
    lines = [line for line in LEFT_OUT.read_text().splitlines() if line and line[0] != "#"]
    for line in lines:
        what, _, reason = line.partition(" ")
        file, _, test = what.partition("::")
        assert len(reason.split()) >= 2, line
        assert f"def {test}" in (ROOT / file).read_text()


def test_an_unknown_system_is_refused_before_anything_is_fetched(tmp_path: Path) -> None:
    done = subprocess.run(
        [str(ROOT / "scripts" / "try-arm64.sh"), "--tests", "buster"],
        capture_output=True,
        text=True,
        env={"PATH": "/usr/bin:/bin", "ARM": str(tmp_path / "arm")},
    )
    assert done.returncode == 2
    assert done.stderr == ("mien: buster is no system: say bookworm, trixie or bookworm-tflite.\n")
    assert not (tmp_path / "arm").exists()
