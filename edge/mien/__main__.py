"""Console command `mien`: the whole command line, or `mien doctor` alone.

Where OpenCV or NumPy do not import, every command would end in a traceback; then only the doctor
is left, which says what is wrong and needs neither.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading


def main() -> None:
    """Run the command line."""
    try:
        from mien.cli import main as whole
    except Exception as error:  # NumPy's clashes are ImportError, ValueError and AttributeError
        _without(error)
    else:
        try:
            whole()
        except SystemExit as end:
            _leave_threads_behind(end)
            raise


def _leave_threads_behind(end: SystemExit) -> None:
    """End at once where a thread is still inside a camera's or stream's library.

    Before Python 3.14 such a thread is unwound when it comes back while the interpreter shuts down,
    which C++ answers with std::terminate: exit -6 after a run that ended well. Everything that the
    run opened is closed by now.
    """
    from mien.sources.frame_grabber import THREADS

    if not any(thread.name.startswith(THREADS) for thread in threading.enumerate()):
        return
    code = end.code if isinstance(end.code, int) else int(end.code is not None)
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):  # nobody reads it, or it is closed
            stream.flush()
    os._exit(code)


def _without(error: Exception) -> None:
    """Run the doctor alone, or print why no other command can run."""
    if sys.argv[1:2] != ["doctor"]:
        why = (str(error).strip() or type(error).__name__).splitlines()[0]
        print(f"mien: A package does not import ({why}); run `mien doctor`.", file=sys.stderr)
        sys.exit(2)
    import typer

    from mien.commands.doctor import doctor

    app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)
    app.command("doctor")(doctor)
    app.callback()(_group)
    app()


def _group() -> None:
    """Keep `doctor` a sub-command although it is the only command."""


if __name__ == "__main__":
    main()
