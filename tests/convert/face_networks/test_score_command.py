"""`python -m mien_convert.face_networks.score`: the whole way, short, and what it says when
something is wrong."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from film import person
from mien.errors import UserError
from mien_convert.face_networks.full_haar import FullHaar
from mien_convert.face_networks.people import locate
from mien_convert.face_networks.scenes import sequence
from mien_convert.face_networks.score import main, run

Score = Callable[..., tuple[int, str, str]]


@pytest.fixture
def score(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Score:
    def command(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["mien_convert.face_networks.score", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        out, err = capfd.readouterr()
        return int(ended.value.code or 0), out, err

    return command


def test_real_faces_are_found_and_told_apart() -> None:
    scored = run([person(0), person(1)], 60, 3, None, progress=False)
    assert scored.mien.face_frames > 100
    assert scored.mien.recall > 0.6
    assert scored.mien.false_share <= 0.02
    assert scored.haar is None


def test_the_same_seed_gives_the_same_film() -> None:
    first, again, other = (
        next(sequence([person(0), person(1)], 1, seed)).gray for seed in (3, 3, 4)
    )
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_a_face_is_located_where_it_is() -> None:
    known = person(0)
    x, y, side = locate(known.picture)
    assert abs(x - known.face[0]) < 0.06
    assert abs(y - known.face[1]) < 0.06
    assert abs(side - known.face[2]) < 0.12
    assert locate(np.full((48, 48), 90, np.uint8)) == (0.5, 0.5, 1.0)


def test_json_names_both_and_the_cache_saves_the_second_search(
    score: Score, small_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = tmp_path / "deeper" / "haar.json"
    options = (small_data, "--frames", 2, "--seed", 5, "--cache", cache, "--json")
    code, out, _ = score(*options)
    assert code == 0
    first = json.loads(out)["sequences"][0]
    assert first["seed"] == 5
    assert {"recall", "false_frames", "switches_per_1000", "delay_s_p95"} <= set(first["mien"])
    known = FullHaar(cache)
    assert len(known._boxes) == 2
    monkeypatch.setattr(FullHaar, "save", lambda self: None)
    again = json.loads(score(*options)[1])["sequences"][0]
    assert again["haar"] == first["haar"]


def test_without_haar_there_is_a_table_of_mien_alone(score: Score, small_data: Path) -> None:
    code, out, _ = score(small_data, "--frames", 2, "--no-haar")
    assert code == 0
    assert "switches_per_1000" in out


def test_a_missing_data_set_is_one_sentence(score: Score, tmp_path: Path) -> None:
    code, _, err = score(tmp_path / "no.zip")
    assert code == 2
    assert err.startswith("mien-score: there is no ")
    assert "Traceback" not in err


def test_a_cache_that_is_something_else_is_refused(tmp_path: Path) -> None:
    other = tmp_path / "notes.txt"
    other.write_text("hello")
    with pytest.raises(UserError, match="--cache"):
        FullHaar(other)
