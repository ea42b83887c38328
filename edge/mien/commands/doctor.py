"""`mien doctor`: what stands in the way of a run on this machine, and what to do about it."""

from __future__ import annotations

from typing import Annotated

import typer


def doctor(
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON document instead of a table.")
    ] = False,
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

    Changes nothing. Exit code 1 where a check fails, 0 where all is well or only to be looked at.
    """
    from mien.doctor.runner import document, everything, text

    checks = everything(config)
    print(document(checks) if as_json else text(checks))
    if any(check.state == "fail" for check in checks):
        raise typer.Exit(1)
