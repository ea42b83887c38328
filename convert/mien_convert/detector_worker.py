"""Conversion of a face detector in a process of its own, because TFLiteConverter leaks memory.

`mien_convert.detector` starts it through `mien_convert.export` with the arguments MODEL FOLDER,
sends {"height": H, "width": W} and reads float32.tflite and int8.tflite from FOLDER;
calibration.npy there holds gray pictures, uint8 [n, H, W]. The last answer has `parameters` and
`versions`.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TextIO

import numpy as np
from mien.errors import UserError

from mien_convert.export_worker import export, main, say, say_done
from mien_convert.quantize import measure, quantize, refuse_floats

STEPS = ("float32", "calibration", "int8")  # announced as done, in this order
ALL_PICTURES = 1.0  # no range is cut: faces are few, and what they cause is rare in calibration


def _convert(path: Path, folder: Path, answers: TextIO) -> None:
    line = sys.stdin.readline()
    if not line:  # the other side has gone
        return
    order = json.loads(line)
    height, width = int(order["height"]), int(order["width"])
    import keras
    from mien_train.detector.model import build_detector

    try:
        trained = keras.saving.load_model(path, compile=False)
        network = build_detector(height, width)
        network.set_weights(trained.get_weights())
    except (TypeError, ValueError) as error:
        raise UserError(
            f"{path} is no face detector; give the model.keras of mien-train detector."
        ) from error
    float32 = export(network, height, width, folder)
    say(answers, done="float32")
    statistics = measure(float32, np.load(folder / "calibration.npy"), ALL_PICTURES)
    say(answers, done="calibration")
    int8 = quantize(float32, statistics)
    refuse_floats(int8)
    (folder / "int8.tflite").write_bytes(int8)
    say(answers, done="int8")
    say_done(answers, network)


if __name__ == "__main__":
    sys.exit(main(_convert))
