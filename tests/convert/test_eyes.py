"""Conversion of the networks of eyes: measured on the device's code, packed or refused."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path

import mien
import numpy as np
from mien.alertness.network import EYES, FacePartNetwork, _weights
from mien_convert.eyes import ConvertedPart, card, metadata
from mien_convert.metadata import write_network
from mien_train.eyes.measure import Measured
from mien_train.eyes.parts import PARTS


def flatbuffer() -> bytes:
    """The shipped network without its metadata."""
    content = _weights(EYES)
    with zipfile.ZipFile(io.BytesIO(content)) as file:
        return content[: min(member.header_offset for member in file.infolist())]


def made(auc: float) -> ConvertedPart:
    row = Measured("all", 100, 50, 0.99, 0.9, 0.95)
    after = Measured("all", 100, 50, auc, 0.9, 0.95)
    versions = {"tensorflow": "2", "keras": "3"}
    return ConvertedPart(flatbuffer(), 15000, versions, 1.3, [row], [after], 0.013)


def test_the_loss_is_in_points_of_roc_area() -> None:
    assert round(made(0.985).lost_points, 6) == 0.5


def test_a_file_holds_network_metadata_and_card(tmp_path: Path) -> None:
    model, out = tmp_path / "model.keras", tmp_path / "eyes.tflite"
    model.write_bytes(b"trained")
    (tmp_path / "run.json").write_text(json.dumps({"data": {"eyes.zip": "abc"}}))
    fields = metadata(model, PARTS["eyes"], made(0.99), "eyes", "for research")
    text = card(fields, made(0.99), PARTS["eyes"], ["mien-train eyes"])
    write_network(out, made(0.99).int8, fields, text)
    with zipfile.ZipFile(out) as file:
        stored = json.loads(file.read("metadata.json"))
        text = file.read("card.md").decode()
    assert stored["metrics"]["int8"][0]["auc"] == 0.99
    assert (stored["input"]["width"], stored["input"]["height"]) == (40, 24)
    assert all(word in text for word in ("for research", "MediaPipe", "`eyes.zip`"))
    network = FacePartNetwork(out.read_bytes(), "eyes")
    state, seen = network.read(np.full((24, 40), 120, np.uint8))
    assert 0 <= state <= 1
    assert 0 <= seen <= 1


def test_the_shipped_networks_carry_their_cards() -> None:
    for name in ("eyes.tflite", "mouth.tflite"):
        path = Path(mien.__file__).parent
        with zipfile.ZipFile(path / "alertness" / "weights" / name) as file:
            assert "research" in file.read("card.md").decode()
            assert json.loads(file.read("metadata.json"))["metrics"]["int8"][0]["auc"] > 0.9
