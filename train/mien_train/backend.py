"""Start of Keras' backend without its messages."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable


def start_backend(first: Callable[[], None] = lambda: None) -> None:
    """Import Keras and make the backend ready; its messages are shown only if that fails.

    `first` is called before the backend computes anything.

    TensorFlow writes of oneDNN and of missing CUDA libraries to the file descriptor itself before
    any of its settings is read.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    sys.stderr.flush()
    kept = os.dup(2)
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        try:
            import keras

            first()
            keras.ops.zeros(1)
        except BaseException:
            held.seek(0)
            os.write(kept, held.read())
            raise
        finally:
            os.dup2(kept, 2)
            os.close(kept)
