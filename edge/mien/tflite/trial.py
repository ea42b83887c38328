"""Trial of a foreign model: it is run once in a child process before this process trusts it.

A flatbuffer with a sound structure may still crash the interpreter, or never let it return.
"""

from __future__ import annotations

import signal
import subprocess
import sys
from functools import cache

from mien.child import module_command
from mien.errors import UserError

TRIAL_S = 8.0  # s for start, import and two runs; a Pi Zero 2 takes 3
MEMORY_BYTES = 1 << 29  # that the child may allocate

REPEAT = "convert the model anew with mien-convert"


def check_runs(flatbuffer: bytes, name: str) -> None:
    """Raise UserError unless a model runs; `name` is what the message calls it."""
    reason = _failure(flatbuffer)
    if reason:
        raise UserError(f"{name} cannot be run: {reason}; {REPEAT}.")


@cache
def _failure(flatbuffer: bytes) -> str:
    """Return why a model fails, "" where it runs; each model is tried once."""
    try:
        done = subprocess.run(
            module_command("mien.tflite.trial"),
            input=flatbuffer,
            capture_output=True,
            timeout=TRIAL_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"it does not end within {TRIAL_S:.0f} s"
    if done.returncode < 0:
        return f"it ends the interpreter with {_signal_name(-done.returncode)}"
    if done.returncode:
        lines = done.stderr.decode("utf-8", "replace").split("\n")
        last = next((line for line in reversed(lines) if line.strip()), "no reason given")
        return "".join(c for c in last if c.isprintable())[:200].strip().rstrip(".")
    return ""


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def main() -> None:
    """Run the model on stdin: the child's side."""
    import numpy as np

    from mien.tflite.interpreter import interpreter_class

    try:
        import resource
    except ImportError:  # not on Windows
        pass
    else:
        resource.setrlimit(resource.RLIMIT_DATA, (MEMORY_BYTES, MEMORY_BYTES))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    interpreter = interpreter_class()(model_content=sys.stdin.buffer.read(), num_threads=1)
    interpreter.allocate_tensors()
    details = interpreter.get_input_details()[0]
    for value in (0, 255):
        given = np.full(details["shape"], value).astype(details["dtype"])
        interpreter.set_tensor(details["index"], given)
        interpreter.invoke()
        interpreter.get_tensor(interpreter.get_output_details()[0]["index"])


if __name__ == "__main__":
    main()
