"""The console command `mien`: the whole command line, or at least `mien doctor`.

Where OpenCV or NumPy do not import, every command would end in a traceback; then only the doctor
is left, which says what is wrong and needs neither.
"""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line."""
    try:
        from edge.cli import main as whole
    except Exception as error:  # NumPy's clashes are ImportError, ValueError and AttributeError
        _without(error)
    else:
        whole()


def _without(error: Exception) -> None:
    """Run the doctor, or say in one sentence why nothing else runs."""
    if sys.argv[1:2] != ["doctor"]:
        why = (str(error).strip() or type(error).__name__).splitlines()[0]
        print(f"mien: A package does not import ({why}); run `mien doctor`.", file=sys.stderr)
        sys.exit(2)
    import typer

    from edge.commands.doctor import doctor

    app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)
    app.command("doctor")(doctor)
    app.callback()(_group)
    app()


def _group() -> None:
    """Keep `doctor` a sub-command, though it is the only one."""
