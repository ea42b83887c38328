"""`mien-train`: from FER-2013 to a trained model, on a workstation."""

from __future__ import annotations

import typer
from mien.entry_point import common_options, run_app
from mien.log import silence_native_logs

from mien_train.commands.audit import audit
from mien_train.commands.average import average
from mien_train.commands.detector import detector
from mien_train.commands.evaluate import evaluate
from mien_train.commands.eyes import eyes
from mien_train.commands.eyes_label import eyes_label
from mien_train.commands.face_api import face_api
from mien_train.commands.fit import fit
from mien_train.commands.score import score
from mien_train.commands.unpack import unpack
from mien_train.commands.votes import votes

app = typer.Typer(
    name="mien-train",
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    no_args_is_help=True,
)
app.callback(help="Audit FER-2013, train and evaluate networks.")(common_options)
app.command("audit")(audit)
app.command("votes")(votes)
app.command("evaluate")(evaluate)
app.command("fit")(fit)
app.command("unpack")(unpack)
app.command("face-api")(face_api)
app.command("average")(average)
app.command("eyes")(eyes)
app.command("eyes-label")(eyes_label)
app.command("detector")(detector)
app.command("score")(score)


def main() -> None:
    """Run the command line and exit; `mien.entry_point` has the exit codes."""
    silence_native_logs()
    run_app(app, "mien-train")
