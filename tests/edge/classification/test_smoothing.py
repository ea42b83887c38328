from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from made import BANDS
from mien.classification.prediction import UNCERTAIN, decode_prediction, softmax
from mien.classification.smoothing import LABEL_HYSTERESIS, THRESHOLD_HYSTERESIS, PredictionSmoother

PLAIN = replace(BANDS, temperature=1.0, threshold=0.4)
HAPPY, SAD = (np.eye(7, dtype=np.float32)[k] * 4 for k in (3, 5))


def between(p: float) -> np.ndarray:
    """Logits whose probability of happy is `p` and of sad the rest."""
    logits = np.full(7, -20.0)
    logits[3], logits[5] = np.log(p), np.log(1 - p)
    return logits


def test_the_first_reading_is_shown_as_it_is() -> None:
    assert PredictionSmoother(PLAIN).add(HAPPY, 0.0) == decode_prediction(HAPPY, PLAIN)


def test_no_time_constant_shows_every_reading_as_it_is() -> None:
    smoother = PredictionSmoother(PLAIN, 0.0)
    for time, logits in enumerate((HAPPY, SAD, HAPPY)):
        assert smoother.add(logits, time / 30) == decode_prediction(logits, PLAIN)


@pytest.mark.parametrize("fps", [5, 30, 120])
def test_after_the_time_constant_the_new_counts_63_percent_at_any_rate(fps: int) -> None:
    smoother = PredictionSmoother(PLAIN, 0.4)
    smoother.add(HAPPY, 0.0)
    for frame in range(1, round(0.4 * fps) + 1):
        shown = smoother.add(SAD, frame / fps)
    share = 1 - np.exp(-1)
    # float64 whichever way NumPy promotes.
    happy, sad = HAPPY.astype(np.float64), SAD.astype(np.float64)
    expected = softmax((1 - share) * happy + share * sad)
    assert shown.probabilities["sad"] == pytest.approx(expected[5], abs=1e-9)


def test_a_label_gives_way_only_to_a_clear_lead() -> None:
    smoother = PredictionSmoother(PLAIN, 1e-9)  # no memory but for the label
    assert smoother.add(between(0.55), 0).emotion == "happy"
    assert smoother.add(between(0.5 - LABEL_HYSTERESIS / 2 + 0.01), 1).emotion == "happy"
    assert smoother.add(between(0.5 - LABEL_HYSTERESIS / 2 - 0.01), 2).emotion == "sad"
    assert smoother.add(between(0.5 + LABEL_HYSTERESIS / 2 - 0.01), 3).emotion == "sad"


def test_the_confidence_is_of_the_label_that_is_shown() -> None:
    smoother = PredictionSmoother(PLAIN, 1e-9)
    smoother.add(between(0.55), 0)
    shown = smoother.add(between(0.49), 1)
    assert (shown.emotion, shown.confidence) == ("happy", pytest.approx(0.49))


def test_uncertain_is_a_state_that_is_entered_and_left_beyond_the_threshold() -> None:
    metadata = replace(PLAIN, threshold=0.7)
    smoother = PredictionSmoother(metadata, 1e-9)
    assert smoother.add(between(0.71), 0).emotion == "happy"
    assert smoother.add(between(0.7 - THRESHOLD_HYSTERESIS + 0.01), 1).emotion == "happy"
    shown = smoother.add(between(0.7 - THRESHOLD_HYSTERESIS - 0.01), 2)
    assert (shown.emotion, shown.confidence) == (UNCERTAIN, pytest.approx(0.65, abs=1e-6))
    assert smoother.add(between(0.7 + THRESHOLD_HYSTERESIS - 0.01), 3).emotion == UNCERTAIN
    assert smoother.add(between(0.7 + THRESHOLD_HYSTERESIS + 0.01), 4).emotion == "happy"


def test_flicker_of_single_readings_does_not_show() -> None:
    smoother = PredictionSmoother(PLAIN, 0.4)
    rng = np.random.default_rng(0)
    raw, shown = [], []
    for frame in range(300):
        logits = (HAPPY if rng.random() < 0.8 else SAD) + rng.normal(0, 0.5, 7)
        raw.append(decode_prediction(logits, PLAIN).emotion)
        shown.append(smoother.add(logits, frame / 10).emotion)
    changes = [sum(a != b for a, b in pairwise(labels)) for labels in (raw, shown)]
    assert changes[1] < changes[0] / 4
    assert shown.count("happy") > 270


def test_a_clock_that_stands_still_does_no_harm() -> None:
    smoother = PredictionSmoother(PLAIN)
    smoother.add(HAPPY, 1.0)
    assert smoother.add(SAD, 1.0).emotion == "happy"
    assert smoother.add(SAD, 0.5).emotion == "happy"
