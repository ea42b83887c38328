"""Conversion process: starts the worker and collects its models, without importing TensorFlow."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt
from mien.child import module_command
from mien.errors import UserError

Faces = npt.NDArray[np.uint8]  # [n, S, S]


@dataclass(frozen=True)
class Converted:
    """Result and facts of one converted Keras model."""

    logits: npt.NDArray[np.float32]  # [n, 7], of the Keras model on the faces
    int8: bytes  # the flatbuffer
    parameters: int  # weights of the network
    architecture: str  # the Keras model's name
    versions: dict[str, str]  # of tensorflow and keras


class Converter:
    """Handle of the worker process, which loads the model and waits for faces."""

    def __init__(self, process: subprocess.Popen[str], log: IO[str], folder: Path) -> None:
        self._process, self._log, self.folder = process, log, folder

    @cached_property
    def input_size(self) -> int:
        """The side of the network's input, px; waits until the process has read the model.

        Raises UserError where it is no Keras model or one of another form.
        """
        return int(self.answer()["size"])

    def convert(self, calibration: Faces, faces: Faces, done: Callable[[str], object]) -> Converted:
        """Calibrate on one set of faces, read the other; `done` gets each finished step's name.

        Raises UserError where the model or the conversion fails.
        """
        assert self.input_size == faces.shape[1]
        np.save(self.folder / "calibration.npy", calibration)
        np.save(self.folder / "faces.npy", faces)
        self.order()
        while "done" in (answer := self.answer()):
            done(answer["done"])
        self._process.wait()
        return Converted(
            logits=np.load(self.folder / "logits.npy"),
            int8=(self.folder / "int8.tflite").read_bytes(),
            parameters=answer["parameters"],
            architecture=answer["architecture"],
            versions=answer["versions"],
        )

    def order(self, **order: Any) -> None:
        """Send the one line that the process waits for; its files are in `folder`."""
        assert self._process.stdin
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.close()

    def answer(self) -> dict[str, Any]:
        """Return the process's next line. Raises UserError where it states an error or ends."""
        assert self._process.stdout
        line = self._process.stdout.readline()
        if not line:
            status = self._process.wait()
            self._log.seek(0)
            sys.stderr.write("".join(self._log.readlines()[-40:]))
            raise UserError(
                f"the converter's process ended with status {status} before it was done "
                "(its last lines stand above); check the free memory and the versions of "
                "tensorflow and keras."
            )
        answer = json.loads(line)
        if "error" in answer:
            raise UserError(answer["error"])
        return dict(answer)


@contextmanager
def converter(model: Path, module: str = "mien_convert.export_worker") -> Iterator[Converter]:
    """Start the process for a model.keras; it ends with the block, whatever happens in it.

    `module` is what runs in it, started with the arguments MODEL FOLDER.

    Raises UserError where the file is missing or cannot be a Keras model.
    """
    if model.is_dir():
        raise UserError(f"{model} is a folder; name the model.keras in it.")
    if not model.is_file():
        raise UserError(f"there is no {model}; train one with mien-train.")
    if not zipfile.is_zipfile(model):
        raise UserError(
            f"{model} is not a complete .keras file; give the model.keras that mien-train fit "
            "wrote."
        )
    with (
        tempfile.TemporaryDirectory(prefix="mien-convert-") as folder,
        (Path(folder) / "log.txt").open("w+") as log,
    ):
        process = subprocess.Popen(
            module_command(module, str(model), folder),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
        with process:
            try:
                yield Converter(process, log, Path(folder))
            finally:
                process.kill()
