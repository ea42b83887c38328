"""Expression classifier: the int8 network, from face pixels to logits."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from mien.classification.profile import Profile
from mien.errors import UserError
from mien.tflite.interpreter import interpreter_class, suppress_delegate_log, uses_delegate
from mien.tflite.metadata import Metadata
from mien.tflite.model_file import Model, is_shipped
from mien.tflite.signature import check_fit
from mien.tflite.trial import check_runs


class Classifier:
    """TFLite interpreter of one model, with XNNPACK by the interpreter's default.

    `threads` is the interpreter's number of threads; `profile` maps the logits. Raises UserError
    where the model does not fit its metadata or no interpreter is installed. Not for use from
    several threads at once.
    """

    metadata: Metadata
    profile: Profile | None
    xnnpack: bool | None  # whether its fast kernels run; None where the interpreter does not say
    step: float  # of the logits: one step of the int8 output

    def __init__(self, model: Model, threads: int = 1, profile: Profile | None = None) -> None:
        self.metadata = model.metadata
        self.profile = profile
        size, labels = model.metadata.input_size, len(model.metadata.labels)
        check_fit(model.flatbuffer, size, labels, str(model.path))
        if not is_shipped(model.path):
            check_runs(model.flatbuffer, str(model.path))
        try:
            with suppress_delegate_log():
                self._interpreter = interpreter_class()(
                    model_content=model.flatbuffer, num_threads=max(1, threads)
                )
                self._interpreter.allocate_tensors()
        except (RuntimeError, ValueError) as error:
            reason = (str(error).strip() or "no reason given").splitlines()[0]
            raise UserError(
                f"{model.path} cannot be run by this interpreter ({reason}); "
                "update ai-edge-litert, or convert the model anew with mien-convert."
            ) from error
        self.xnnpack = uses_delegate(self._interpreter)
        self._input = int(self._interpreter.get_input_details()[0]["index"])
        output = self._interpreter.get_output_details()[0]
        self._output = int(output["index"])
        self.step, self._zero_point = output["quantization"]
        if not self.step:
            raise UserError(
                f"{model.path} has no quantisation of its output; "
                "convert the model anew with mien-convert."
            )

    def logits(self, faces: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """Return dequantised logits, float32 [n, K], of face bytes, uint8 [n, S, S].

        Raises ValueError for another shape or type.
        """
        size = self.metadata.input_size
        if faces.dtype != np.uint8 or faces.ndim != 3 or faces.shape[1:] != (size, size):
            raise ValueError(
                f"faces are {faces.dtype} {list(faces.shape)}, not uint8 [n, {size}, {size}]"
            )
        steps = np.empty((len(faces), len(self.metadata.labels)), np.float32)
        for index, face in enumerate(faces):
            self._interpreter.set_tensor(self._input, face[np.newaxis, :, :, np.newaxis])
            self._interpreter.invoke()
            steps[index] = self._interpreter.get_tensor(self._output)[0]
        logits = (steps - np.float32(self._zero_point)) * np.float32(self.step)
        return logits if self.profile is None else self.profile.apply(logits)
