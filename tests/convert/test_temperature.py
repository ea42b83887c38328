"""The temperature of a converted model: cautious on clean faces and on corrupted ones."""

from __future__ import annotations

import numpy as np
import pytest
from mien_convert.evaluate import cautious_temperature


@pytest.mark.parametrize(("clean", "corrupted"), [(1.0, 2.0), (2.0, 1.0)])
def test_neither_kind_of_faces_is_read_too_confidently(clean: float, corrupted: float) -> None:
    generator = np.random.default_rng(4)
    logits = generator.normal(0, 1.5, (20000, 7))
    truth = (logits + generator.gumbel(size=logits.shape)).argmax(axis=1)
    both = np.stack([clean * logits, corrupted * logits]).astype(np.float32)
    found = cautious_temperature(both, truth)
    assert found >= clean - 0.03
    assert 1.2 < found < 2.05
