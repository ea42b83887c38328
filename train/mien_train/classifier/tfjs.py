"""Weights of TensorFlow.js models: a manifest, and the binary files that it names."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np


def read_weights(manifest: list[dict[str, Any]], folder: Path) -> dict[str, np.ndarray]:
    """Return the arrays of a manifest's groups by name, bytes and half floats as float32.

    Raises OSError, ValueError, KeyError or TypeError where manifest or files are damaged.
    """
    weights = {}
    for group in manifest:
        stored = b"".join((folder / path).read_bytes() for path in group["paths"])
        offset = 0
        for entry in group["weights"]:
            form = entry.get("quantization", {"dtype": entry["dtype"]})
            kind, count = np.dtype(form["dtype"]), int(np.prod(entry["shape"]))
            values = np.frombuffer(stored, kind, count, offset).astype(entry["dtype"])
            if "scale" in form:
                values = values * form["scale"] + form["min"]
            weights[entry["name"]] = values.reshape(entry["shape"])
            offset += count * kind.itemsize
    return weights
