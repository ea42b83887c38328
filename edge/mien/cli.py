"""`mien`: reads facial expressions in pictures, in faces already cut out, and in video."""

from __future__ import annotations

import sys

import typer

from mien.commands.bench import bench
from mien.commands.doctor import doctor
from mien.commands.evaluate import evaluate
from mien.commands.image import image
from mien.commands.info import info
from mien.commands.report import report
from mien.commands.run import run
from mien.commands.service import app as service
from mien.config import configured
from mien.errors import UserError
from mien.log import silence_native_logs, warn_user

app = typer.Typer(
    name="mien",
    help="Reads facial expressions on the device; never imports TensorFlow.",
    rich_markup_mode=None,
    add_completion=False,
    pretty_exceptions_enable=False,
    no_args_is_help=True,
)
app.command("image")(image)
app.command("eval")(evaluate)
app.command("run")(configured(run))
app.command("info")(info)
app.command("bench")(bench)
app.command("report")(report)
app.command("doctor")(doctor)
app.add_typer(service, name="service")


def main() -> None:
    """Run the command line; a UserError becomes one sentence on stderr and exit code 2."""
    silence_native_logs()
    try:
        app()
    except UserError as error:
        warn_user(str(error), "error")
        sys.exit(2)
