"""Conversion of a network of eyes or mouths in a process of its own: TFLiteConverter leaks memory.

`mien_convert.eyes` starts it through `mien_convert.export` with the arguments MODEL FOLDER, sends
{"temperature": T} and reads float32.tflite and int8.tflite from FOLDER; calibration.npy there holds
crops, uint8 [n, h, w]. The last answer has `parameters` and `versions`.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TextIO

import numpy as np
from mien.errors import UserError

from mien_convert.export_worker import export, main, say, say_done
from mien_convert.quantize import to_int8

STEPS = ("float32", "int8")  # announced as done, in this order


def _convert(path: Path, folder: Path, answers: TextIO) -> None:
    line = sys.stdin.readline()
    if not line:  # the other side has gone
        return
    import keras

    try:
        network = keras.saving.load_model(path, compile=False)
        last = network.get_layer("logits")
    except ValueError as error:
        raise UserError(
            f"{path} is no network of eyes; give the model.keras of mien-train eyes."
        ) from error
    # The state's logit is divided by the temperature here, so that the device needs none.
    kernel, bias = last.get_weights()
    kernel[:, 0] /= json.loads(line)["temperature"]
    bias[0] /= json.loads(line)["temperature"]
    last.set_weights([kernel, bias])
    _, height, width, _ = network.input_shape
    float32 = export(network, height, width, folder)
    say(answers, done="float32")
    int8 = to_int8(float32, np.load(folder / "calibration.npy"))
    (folder / "int8.tflite").write_bytes(int8)
    say(answers, done="int8")
    say_done(answers, network)


if __name__ == "__main__":
    sys.exit(main(_convert))
