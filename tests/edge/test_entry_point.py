"""Ends of a command: wrong arguments, a closed pipe, a full disk, a bug."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import pytest
from made import is_one_sentence
from mien.entry_point import BUG

Mien = Callable[..., tuple[int, str, str]]
MIEN = [sys.executable, "-c", "from mien.__main__ import main; main()"]
# A command with a fault, in a process of its own.
FAULTY = [
    sys.executable,
    "-c",
    "import mien.commands.info as i\n"
    "def card(*_): raise ZeroDivisionError('of\\n\\x1b[31mone')\n"
    "i.card = card\n"
    "from mien.__main__ import main; main()",
]


def run(command: list[str], *words: str, **options: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*command, *words],
        text=True,
        stderr=subprocess.PIPE,
        stdout=options.pop("stdout", subprocess.PIPE),  # type: ignore[call-overload]
        **options,
    )


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("run", "--nosuch"), ("--nosuch", "mien run --help")),
        (("image",), ("Missing argument", "mien image --help")),
        (("image", "a.jpg", "--threads", "none"), ("--threads", "mien image --help")),
        (("service", "nosuch"), ("nosuch", "mien service --help")),
    ],
)
def test_wrong_arguments_are_one_sentence(
    mien: Mien, words: tuple[str, ...], said: tuple[str, ...]
) -> None:
    code, out, err = mien(*words)
    assert (code, out) == (2, "")
    assert is_one_sentence(err, *said)


def test_without_a_command_the_help_is_shown(mien: Mien) -> None:
    code, out, err = mien()
    assert code == 2
    assert "Usage: mien" in out + err


def test_version_is_that_of_the_package(mien: Mien) -> None:
    assert mien("--version") == (0, f"mien {version('mien')}\n", "")


def test_python_m_mien_is_the_command(tmp_path: Path) -> None:
    done = run([sys.executable, "-m", "mien", "--version"], cwd=tmp_path)
    assert done.stdout == f"mien {version('mien')}\n"


def test_a_reader_that_goes_away_is_no_error() -> None:
    for words in ("info --json", "doctor --config none", "run --help"):
        shell = f"{' '.join(map(repr, MIEN))} {words} | true"
        done = run(["bash", "-c", f"set -o pipefail; {shell}"])
        assert (done.returncode, done.stderr) == (0, ""), words


def test_output_on_a_full_disk_is_one_sentence() -> None:
    with Path("/dev/full").open("w") as full:
        done = run(MIEN, "info", stdout=full)
    assert done.returncode == 2
    assert is_one_sentence(done.stderr, "cannot be written", "No space left")


def test_a_name_that_the_terminal_cannot_show_is_escaped(tmp_path: Path) -> None:
    name = os.fsdecode(b"gr\xfc\xdfe.jpg")
    environment = {**os.environ, "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    done = run(MIEN, "image", name, "grüße.jpg", env=environment, cwd=tmp_path)
    assert done.returncode == 2
    assert "gr\\udcfc\\udcdfe.jpg" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_fault_is_one_sentence_and_exit_code_70() -> None:
    done = run(FAULTY, "info")
    assert done.returncode == BUG
    assert is_one_sentence(
        done.stderr, "ZeroDivisionError: of \\x1b[31mone", "report it", "--debug"
    )
    assert "\x1b" not in done.stderr


@pytest.mark.parametrize("how", ["option", "variable"])
def test_debug_shows_the_traceback(how: str) -> None:
    environment = {**os.environ, "MIEN_DEBUG": "1"} if how == "variable" else None
    done = run(FAULTY, "info", *(["--debug"] if how == "option" else []), env=environment)
    assert done.returncode == BUG
    assert "Traceback" in done.stderr
    assert "ZeroDivisionError" in done.stderr.splitlines()[-1]


def test_debug_also_shows_where_a_wrong_input_was_refused() -> None:
    done = run(MIEN, "info", "nosuch.tflite", "--debug")
    assert done.returncode == 2
    assert "Traceback" in done.stderr
    assert is_one_sentence(done.stderr.splitlines()[-1], "nosuch.tflite")


def test_a_shell_gets_its_completion() -> None:
    environment = {**os.environ, "_MIEN_COMPLETE": "complete_bash"}
    environment |= {"COMP_WORDS": "mien ben", "COMP_CWORD": "1"}
    done = run(MIEN, env=environment)
    assert done.stdout.split() == ["bench"]


def test_a_folder_that_may_not_be_entered_is_one_sentence() -> None:
    code = FAULTY[-1]
    start, end = code.index("raise "), code.index("i.card =")
    refused = f"{code[:start]}raise PermissionError(13, 'No', '/secret/m.tflite')\n{code[end:]}"
    done = run([*FAULTY[:-1], refused], "info")
    assert done.returncode == 2
    assert is_one_sentence(done.stderr, "Permission denied: /secret/m.tflite")
