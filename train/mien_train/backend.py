"""Start of Keras' backend without its messages."""

from __future__ import annotations

import os
import sys
import tempfile


def start_backend() -> None:
    """Import Keras and make the backend ready; its messages are shown only if that fails.

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

            keras.ops.zeros(1)
        except BaseException:
            held.seek(0)
            os.write(kept, held.read())
            raise
        finally:
            os.dup2(kept, 2)
            os.close(kept)
