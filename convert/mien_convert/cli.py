"""`mien-convert`: a trained network to one int8 model file that has proved its accuracy."""

from __future__ import annotations

from typing import Any

import typer
from mien.entry_point import common_options, run_app
from mien.log import silence_native_logs
from typer.core import TyperGroup

from mien_convert.commands.card import card
from mien_convert.commands.detector import detector
from mien_convert.commands.end_to_end import end_to_end
from mien_convert.commands.eyes import eyes
from mien_convert.commands.model import model
from mien_convert.commands.robustness import robustness


class DefaultCommandGroup(TyperGroup):
    """A group whose command `model` may be left out: `mien-convert MODEL DATA`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Insert `model` unless a command or one of the group's own options comes first."""
        own = {option for parameter in self.get_params(ctx) for option in parameter.opts}
        if args and args[0] not in own and args[0] not in self.commands:
            args = ["model", *args]
        return list(super().parse_args(ctx, args))


app = typer.Typer(
    name="mien-convert",
    cls=DefaultCommandGroup,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    no_args_is_help=True,
)
app.callback(
    help="Convert a trained network to an int8 model file, or refuse it; measure model files. "
    "`mien-convert MODEL DATA` is short for `mien-convert model MODEL DATA`."
)(common_options)
app.command("model", no_args_is_help=True)(model)
app.command("detector", no_args_is_help=True)(detector)
app.command("eyes", no_args_is_help=True)(eyes)
app.command("card", no_args_is_help=True)(card)
app.command("robustness", no_args_is_help=True)(robustness)
app.command("end-to-end", no_args_is_help=True)(end_to_end)


def main() -> None:
    """Run the command line."""
    silence_native_logs()
    run_app(app, "mien-convert")
