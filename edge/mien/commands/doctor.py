"""`mien doctor`: checks of this machine, with a remedy for each problem."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer

from mien.commands.options import JsonOption

if TYPE_CHECKING:
    from mien.systemd.unit import UnitOptions


def doctor(
    as_json: JsonOption = False,
    config: Annotated[
        str | None,
        typer.Option(
            "--config",
            metavar="FILE",
            help="Check the options in this file instead of /etc/mien.toml; none reads no file.",
            envvar="MIEN_CONFIG",
        ),
    ] = None,
) -> None:
    """Check this machine: system, packages, cameras, model, heat, power, network, service.

    Nothing is changed. Exit code 1 if a check fails; warnings do not count.
    """
    from mien.doctor.runner import document, everything, text

    checks = everything(load_run, load_service_options, config)
    print(document(checks) if as_json else text(checks))
    if any(check.state == "fail" for check in checks):
        raise typer.Exit(1)


# Imported late: what is broken on this machine may be just what these modules import.


def load_run() -> Callable[..., None]:
    """Return the command `mien run`."""
    from mien.commands.run import run

    return run


def load_service_options() -> UnitOptions:
    """Return the options that the service's unit should have."""
    from mien.commands.service import service_options

    return service_options()
