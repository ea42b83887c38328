"""`mien-train`: from FER-2013 to a trained model and its report, on a workstation."""

from __future__ import annotations

import sys

import typer
from mien.errors import UserError

from mien_train.commands.audit import audit
from mien_train.commands.average import average
from mien_train.commands.evaluate import evaluate
from mien_train.commands.fit import fit
from mien_train.commands.report import report
from mien_train.commands.subset import subset
from mien_train.commands.unpack import unpack
from mien_train.commands.votes import votes

app = typer.Typer(
    name="mien-train",
    help="Audits FER-2013, chooses training images, trains and evaluates the network.",
    rich_markup_mode=None,
    add_completion=False,
    pretty_exceptions_enable=False,
    no_args_is_help=True,
)
app.command("audit")(audit)
app.command("subset")(subset)
app.command("votes")(votes)
app.command("evaluate")(evaluate)
app.command("fit")(fit)
app.command("unpack")(unpack)
app.command("average")(average)
app.command("report")(report)


def main() -> None:
    """Run the command line; a UserError becomes one sentence on stderr and exit code 2."""
    try:
        app()
    except UserError as error:
        print(f"mien-train: {error}", file=sys.stderr)
        sys.exit(2)
