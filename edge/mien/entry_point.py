"""Entry point of the console commands: how each kind of end becomes a sentence and an exit code.

| end | stderr | exit code |
|---|---|---|
| done, or the reader of stdout has gone (`| head`) | | 0 |
| wrong arguments, UserError, stdout cannot be written | one sentence | 2 |
| any other exception: a bug of Mien's | one sentence, where to report it | 70 (EX_SOFTWARE) |
| Ctrl-C | | 130 |

`--debug` anywhere on the command line, or MIEN_DEBUG=1, also shows the traceback.
"""

from __future__ import annotations

import contextlib
import errno
import os
import sys
import traceback
from typing import Annotated, Any

import typer

from mien.console import printable
from mien.errors import UserError
from mien.log import event

USER_ERROR = 2
BUG = 70
INTERRUPTED = 128 + 2  # as a shell has it for SIGINT
DEBUG_VARIABLE = "MIEN_DEBUG"
MAX_REASON = 300  # characters of an unexpected exception's text

# typer brings its own copy of click from 0.26 on, so that click's names are reached through it.
_ClickException: Any = typer.BadParameter.__mro__[2]


def run_app(app: typer.Typer, name: str) -> None:
    """Run a command line of `sys.argv` and exit; `name` is the program's, as in "mien"."""
    arguments = [word for word in sys.argv[1:] if word != "--debug"]
    debug = len(arguments) < len(sys.argv) - 1 or os.environ.get(DEBUG_VARIABLE, "0") != "0"
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # a name that the terminal cannot show is escaped
            stream.reconfigure(errors="backslashreplace")
    if f"_{name.replace('-', '_').upper()}_COMPLETE" in os.environ:
        app(prog_name=name)  # the shell asks for completions
    try:
        code = _invoke(app, name, arguments)
        _flush_stdout()
    except BrokenPipeError:
        abandon_stdout()
        code = 0
    except UserError as error:
        code = USER_ERROR
        if debug:
            traceback.print_exc()
        _say(name, str(error))
    except KeyboardInterrupt:
        code = INTERRUPTED
    except Exception as error:
        if debug:
            traceback.print_exc()
        code = _report(name, error)
    sys.exit(code)


def _show_version(context: typer.Context, wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        print(f"{context.info_name} {version('mien')}")
        raise typer.Exit


def common_options(
    version: Annotated[
        bool,
        typer.Option("--version", help="Show the version.", callback=_show_version, is_eager=True),
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
) -> None:
    """Options of every command group; `run_app` handles --debug itself."""


def abandon_stdout() -> None:
    """After a broken pipe: let Python's last flush at exit go nowhere instead of failing."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _invoke(app: typer.Typer, name: str, arguments: list[str]) -> int:
    command = typer.main.get_command(app)
    try:
        with command.make_context(name, arguments) as context:
            command.invoke(context)
    except typer.Exit as end:
        return end.exit_code
    except typer.Abort:
        return INTERRUPTED
    except SystemExit as end:
        if isinstance(end.__context__, BrokenPipeError):  # rich, which writes the help
            return 0
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except _ClickException as error:
        if type(error).__name__ == "NoArgsIsHelpError":
            error.show()  # the help itself
            return USER_ERROR
        where = getattr(getattr(error, "ctx", None), "command_path", name)
        message = " ".join(error.format_message().split()).rstrip(".")
        raise UserError(f"{message}; see `{where} --help`.") from None
    return 0


def _flush_stdout() -> None:
    """Write what is buffered, while a failure can still be told."""
    if sys.stdout is not None and not sys.stdout.closed:
        sys.stdout.flush()


def _report(name: str, error: Exception) -> int:
    """Print one sentence about an exception that nothing has caught; return the exit code."""
    if isinstance(error, PermissionError) and error.filename is not None:
        _say(name, f"Permission denied: {error.filename}; check the permissions of its folders.")
        return USER_ERROR
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EIO):
        abandon_stdout()
        _say(name, f"The output cannot be written ({error.strerror}).")
        return USER_ERROR
    reason = " ".join(f"{type(error).__name__}: {error}".split())
    reason = printable(reason)[:MAX_REASON]
    _say(
        name,
        f"Unexpected error ({reason}). This is a fault in Mien: please report it with the command "
        "and what --debug shows.",
    )
    return BUG


def _say(name: str, message: str) -> None:
    """Print a message behind the program's name, or log it where stderr is the journal."""
    if not event(message, "error") and sys.stderr is not None:
        print(f"{name}: {message}", file=sys.stderr, flush=True)
