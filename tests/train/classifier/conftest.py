"""face-api's expression network in the form of its package, with random weights."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from mien_train.classifier.face_api import MANIFEST, OUTPUTS, WEIGHTS

WIDTHS = (4, 8, 8, 12)  # channels of the blocks; the package's are 32 to 256


@pytest.fixture(scope="session")
def face_api_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Random weights in the package's form: bytes with scale and minimum, biases as floats."""
    place, rng = tmp_path_factory.mktemp("model"), np.random.default_rng(0)
    entries, stored, before = [], b"", 3

    def add(name: str, shape: list[int]) -> None:
        nonlocal stored
        entry: dict[str, object] = {"name": name, "shape": shape, "dtype": "float32"}
        if name.endswith("bias"):
            stored += rng.normal(size=shape).astype("<f4").tobytes()
        else:
            entry["quantization"] = {"dtype": "uint8", "scale": 0.004, "min": -0.5}
            stored += rng.integers(0, 256, shape, np.uint8).tobytes()
        entries.append(entry)

    for block, width in enumerate(WIDTHS):
        for index in range(4):
            name = f"dense{block}/conv{index}"
            if block == index == 0:
                add(f"{name}/filters", [3, 3, before, width])
            else:
                add(f"{name}/depthwise_filter", [3, 3, before, 1])
                add(f"{name}/pointwise_filter", [1, 1, before, width])
            add(f"{name}/bias", [width])
            before = width
    add("fc/weights", [before, len(OUTPUTS)])
    add("fc/bias", [len(OUTPUTS)])
    (place / MANIFEST).write_text(json.dumps([{"weights": entries, "paths": [WEIGHTS]}]))
    (place / WEIGHTS).write_bytes(stored)
    return place
