"""Facial expressions from pictures, videos and cameras, on the device.

    import mien

    reader = mien.Reader()
    for face in reader.read("portrait.jpg"):
        print(face.emotion, face.confidence, face.box)

docs/python.md describes the API. What `__all__` names is public; everything else may change.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mien.classification.prediction import Prediction
    from mien.errors import UserError
    from mien.pipeline.reader import Reader
    from mien.pipeline.results import Face, FrameResult
    from mien.sources import CameraConfig, Change, Frame, Source, SourceLost, open_source
    from mien.tflite.metadata import Metadata
    from mien.tflite.model_file import Model, load_model

    __version__: str

__all__ = [
    "CameraConfig",
    "Change",
    "Face",
    "Frame",
    "FrameResult",
    "Metadata",
    "Model",
    "Prediction",
    "Reader",
    "Source",
    "SourceLost",
    "UserError",
    "__version__",
    "load_model",
    "open_source",
]

# Imported at first use: OpenCV alone takes longer than everything else.
_MODULES = {
    "CameraConfig": "mien.sources",
    "Change": "mien.sources",
    "Face": "mien.pipeline.results",
    "Frame": "mien.sources",
    "FrameResult": "mien.pipeline.results",
    "Metadata": "mien.tflite.metadata",
    "Model": "mien.tflite.model_file",
    "Prediction": "mien.classification.prediction",
    "Reader": "mien.pipeline.reader",
    "Source": "mien.sources",
    "SourceLost": "mien.sources",
    "UserError": "mien.errors",
    "load_model": "mien.tflite.model_file",
    "open_source": "mien.sources",
}


if not TYPE_CHECKING:  # a type checker sees the imports above, and no other name

    def __getattr__(name: str) -> Any:
        """Return a public name, imported at its first use."""
        if name == "__version__":
            from importlib.metadata import version

            return version("mien")
        if name not in _MODULES:
            raise AttributeError(f"module 'mien' has no attribute {name!r}")
        return getattr(import_module(_MODULES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
