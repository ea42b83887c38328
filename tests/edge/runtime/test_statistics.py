"""The summary of a run."""

from __future__ import annotations

import pytest
from mien.runtime.statistics import RunStatistics
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
    assert (summary.frames, summary.frames_with_face, summary.faces) == (4, 3, 4)
    assert summary.media_s == pytest.approx(2.25)
    text = summary.text()
    assert "frames                   4" in text
    assert "frames with face         3  (75.0%)" in text
    assert "dropped                  3" in text
    assert [line.split()[0] for line in text.splitlines()[-3:]] == ["happy", "sad", "uncertain"]
    assert "66.7%" in text


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
