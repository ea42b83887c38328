"""The summary of a run."""

from __future__ import annotations

from dataclasses import replace

import pytest
from mien.runtime.statistics import MAX_IDS, RunStatistics
from results import LABELS, result


def test_the_share_is_one_of_time_and_not_of_frames() -> None:
    summary = RunStatistics(LABELS)
    summary.add(result(0, 0.0, 0.9))  # happy for 1.5 s
    summary.add(result(1, 1.5, 0.1))  # sad for 0.25 s, twice
    summary.add(result(2, 1.75, 0.1, 0.55))  # and sad and uncertain for as long as the last
    summary.add(result(3, 2.0))
    summary.end(fps=4, dropped=3)
    assert summary.shares() == pytest.approx(
        {"happy": 0.6667, "sad": 0.2222, "uncertain": 0.1111}, abs=1e-3
    )
    assert (summary.frames, summary.frames_with_face, summary.readings) == (4, 3, 4)
    assert summary.media_s == pytest.approx(2.25)
    text = summary.text()
    assert "frames                   4" in text
    assert "frames with face         3  (75.0%)" in text
    assert "dropped                  3" in text
    assert [line.split()[0] for line in text.splitlines()[-3:]] == ["happy", "sad", "uncertain"]
    assert "66.7%" in text
    assert "readings                 4" in text
    assert "people" not in text  # pictures: nobody is tracked


def test_people_and_readings_are_counted_apart_without_emotions_that_did_not_occur() -> None:
    summary = RunStatistics(LABELS)
    for index in range(10):
        shown = result(index, index / 10, 0.9, 0.95)
        faces = tuple(replace(face, id=1 + k) for k, face in enumerate(shown.faces))
        summary.add(replace(shown, faces=faces))
    summary.end(fps=10, dropped=0)
    text = summary.text()
    assert "people                   2" in text
    assert "readings                20" in text
    assert text.splitlines()[-1].split() == ["happy", "100.0%", "2.0", "20"]
    assert "sad" not in text


def test_the_memory_of_people_is_bounded_and_none_is_counted_twice() -> None:
    summary = RunStatistics(LABELS)
    for number in range(1, 5001):
        shown = result(number, number / 10, 0.9, 0.9)
        faces = tuple(replace(f, id=number + k) for k, f in enumerate(shown.faces))
        summary.add(replace(shown, faces=faces))
    assert summary.people == 5001
    assert len(summary._ids) <= 2 * MAX_IDS


def test_a_pause_of_the_source_weighs_no_more_than_two_seconds() -> None:
    summary = RunStatistics(LABELS)
    summary.add(result(0, 0.0, 0.9))
    summary.add(result(1, 600.0, 0.1))
    summary.add(result(2, 602.0))
    summary.end(fps=None, dropped=0)
    assert summary.shares()["happy"] == pytest.approx(0.5)


def test_a_run_without_frames_or_faces_has_a_summary() -> None:
    summary = RunStatistics(LABELS)
    summary.end(None, 0)
    assert "frames                   0" in summary.text()
    summary = RunStatistics(LABELS)
    summary.add(result(0, 0.0))
    summary.end(fps=None, dropped=0)
    assert "emotion" not in summary.text()
    assert sum(summary.shares().values()) == 0
