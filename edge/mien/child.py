"""Child processes: nothing imported from the working directory, no secrets handed on."""

from __future__ import annotations

import os
import sys

SECRET_VARIABLES = ("MIEN_TOKEN", "MIEN_MQTT_PASSWORD")

# `python -m` and `python -c` put the working directory in front of the import path, so that a
# user's own train.py or numpy.py there would be executed. The option -P needs Python 3.11.
_SAFE_PATH = "import sys; sys.path[:] = [p for p in sys.path if p]; "
_RUN_MODULE = "import runpy; runpy.run_module(sys.argv.pop(1), run_name='__main__', alter_sys=True)"


def module_command(module: str, *arguments: str, python: str = sys.executable) -> list[str]:
    """Return the command line that runs a module as `python -m` does."""
    return [python, "-c", _SAFE_PATH + _RUN_MODULE, module, *arguments]


def code_command(code: str, *arguments: str) -> list[str]:
    """Return the command line that runs a line of code as `python -c` does."""
    return [sys.executable, "-c", _SAFE_PATH + code, *arguments]


def environment_without_secrets() -> dict[str, str]:
    """Return this process's environment without the page's token and the broker's password."""
    return {name: value for name, value in os.environ.items() if name not in SECRET_VARIABLES}
