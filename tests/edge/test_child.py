"""Child processes: the working directory is not on their import path."""

from __future__ import annotations

import subprocess
from pathlib import Path

from mien.child import code_command, module_command


def run(command: list[str], folder: Path) -> str:
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True).stdout


def test_a_module_runs_as_main_with_its_arguments(shadowing_folder: Path) -> None:
    shown = run(module_command("platform", "--terse"), shadowing_folder)
    assert shown.startswith("Linux")


def test_code_imports_no_module_of_the_working_directory(shadowing_folder: Path) -> None:
    code = "import numpy, mien, sys; print(numpy.uint8(7), sys.argv[1:])"
    assert run(code_command(code, "a", "b"), shadowing_folder) == "7 ['a', 'b']\n"
