"""Command line of `mien`."""

from __future__ import annotations

import typer

from mien.commands.bench import bench
from mien.commands.calibrate import calibrate
from mien.commands.doctor import doctor
from mien.commands.evaluate import evaluate
from mien.commands.image import image
from mien.commands.info import info
from mien.commands.model import app as model
from mien.commands.report import report
from mien.commands.run import run
from mien.commands.run_options import EXAMPLES
from mien.commands.service import app as service
from mien.config import configured
from mien.entry_point import common_options, run_app
from mien.log import silence_native_logs

app = typer.Typer(
    name="mien",
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    no_args_is_help=True,
)
app.callback(help="Read facial expressions from cameras, videos and pictures.")(common_options)
app.command("image")(image)
app.command("eval")(evaluate)
app.command("run", epilog=EXAMPLES)(configured(run))
app.command("calibrate")(calibrate)
app.command("info")(info)
app.command("bench")(bench)
app.command("report")(report)
app.command("doctor")(doctor)
app.add_typer(model, name="model")
app.add_typer(service, name="service")


def main() -> None:
    """Run the command line and exit; `mien.entry_point` has the exit codes."""
    silence_native_logs()
    run_app(app, "mien")
