"""Measures of a model by groups of faces (scripts/figures/group_measures.py)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from script_modules import load_script

FILE = Path(__file__).parents[1] / "scripts" / "figures" / "group_measures.py"
measures = load_script(FILE)


def test_interval_of_a_share_is_wilsons() -> None:
    low, high = measures.wilson(81, 263)  # Newcombe, Statistics in Medicine 17 (1998), table I
    assert (low, high) == (pytest.approx(0.2553, abs=1e-4), pytest.approx(0.3662, abs=1e-4))


def test_gap_does_not_count_that_a_group_smiles_more() -> None:
    # Class 0 is right in 90 %, class 1 in 50 % of both groups; the group has more of class 0.
    inside = np.repeat([True, False], 1000)
    truth = np.concatenate([np.repeat([0, 1], [900, 100]), np.repeat([0, 1], [100, 900])])
    place = np.concatenate([np.arange(n) / n for n in (900, 100, 100, 900)])
    right = place < np.where(truth == 0, 0.9, 0.5)
    assert right[inside].mean() - right[~inside].mean() > 0.3
    mine, change, low, high = measures.gap(truth, right, inside)
    assert mine == pytest.approx(0.7)
    assert change == pytest.approx(0)
    assert low < 0 < high


def test_gap_of_a_group_that_is_read_worse_lies_outside_of_zero() -> None:
    inside = np.repeat([True, False], 500)
    right = np.concatenate([np.arange(500) < 350, np.arange(500) < 450])
    _, change, low, high = measures.gap(np.zeros(1000, np.int64), right, inside)
    assert change == pytest.approx(-0.2)
    assert low < -0.2 < high < 0


def test_rows_leave_out_faces_without_truth_group_or_detection() -> None:
    truth = np.concatenate([np.tile([0, 1], 30), [-1, 0, 0]])
    probabilities = np.eye(2)[np.maximum(truth, 0)] * 0.8 + 0.1
    probabilities[-1] = 0  # no face was found
    names = [f"{i}.jpg" for i in range(63)]
    groups = {name: {"age": "old" if i % 4 < 2 else "young"} for i, name in enumerate(names)}
    del groups["61.jpg"]
    found = measures.rows(groups, names, truth, probabilities)
    assert [row[:4] for row in found] == [
        ["age: old", "30", "100.0 (88.6 to 100.0)", "90.0"],
        ["age: young", "30", "100.0 (88.6 to 100.0)", "90.0"],
    ]
