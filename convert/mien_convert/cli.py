"""`mien-convert`: a trained network to one int8 model file that has proved its accuracy."""

from __future__ import annotations

import sys
from typing import Any

import typer
from mien.errors import UserError
from typer.core import TyperGroup

from mien_convert.commands.card import card
from mien_convert.commands.end_to_end import end_to_end
from mien_convert.commands.model import model
from mien_convert.commands.robustness import robustness


class DefaultCommandGroup(TyperGroup):
    """A group whose command `model` may be left out: `mien-convert MODEL DATA`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Insert `model` unless a command or the group's own --help comes first."""
        if args and args[0] not in self.commands and args[0] not in ctx.help_option_names:
            args = ["model", *args]
        return list(super().parse_args(ctx, args))


app = typer.Typer(
    name="mien-convert",
    cls=DefaultCommandGroup,
    help="Converts a trained network to an int8 model file, or refuses it; measures model files. "
    "`mien-convert MODEL DATA` is `mien-convert model MODEL DATA`.",
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    no_args_is_help=True,
)
app.command("model", no_args_is_help=True)(model)
app.command("card", no_args_is_help=True)(card)
app.command("robustness", no_args_is_help=True)(robustness)
app.command("end-to-end", no_args_is_help=True)(end_to_end)


def main() -> None:
    """Run the command line; a UserError becomes one sentence on stderr and exit code 2."""
    try:
        app()
    except UserError as error:
        print(f"mien-convert: {error}", file=sys.stderr)
        sys.exit(2)
