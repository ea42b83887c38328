"""`mien service`: installs Mien as a systemd service, supervised by a watchdog."""

from __future__ import annotations

from typing import Annotated

import typer

from mien.commands.run import run
from mien.config import CONFIG, read_settings
from mien.systemd import installer
from mien.systemd.unit import UnitOptions, unit_text

NOT_ACTIVE = 3  # exit code of status, as systemctl's

app = typer.Typer(
    help="Run as a systemd service: sandboxed, supervised, with options in /etc/mien.toml.",
    rich_markup_mode="markdown",
    no_args_is_help=True,
)


@app.command("install")
def install(
    start: Annotated[
        bool, typer.Option("--start/--no-start", help="Start or restart it now.")
    ] = True,
    only_print: Annotated[
        bool, typer.Option("--print", help="Only print the unit that would be written.")
    ] = False,
) -> None:
    """Install the service, or update it after an upgrade or a change of /etc/mien.toml.

    Makes a user of its own in the group video, an example of /etc/mien.toml where there is none,
    and the unit. With neither page nor broker nor stream in the options it gets no network.
    """
    options = service_options()
    if only_print:
        print(unit_text(options), end="")
        return
    for sentence in installer.install(installer.Host(), options, start):
        print(sentence)


@app.command("status")
def status() -> None:
    """Show the service's status. Exit code 0 if it runs, 3 if not."""
    found = installer.service_state(installer.Host(), service_options())
    print(describe_state(found))
    if found.active != "active":
        raise typer.Exit(NOT_ACTIVE)


@app.command("uninstall")
def uninstall(
    purge: Annotated[
        bool, typer.Option("--purge", help="Also remove /etc/mien.toml and /var/lib/mien.")
    ] = False,
) -> None:
    """Stop and remove the service and its user; options and recordings stay."""
    for sentence in installer.uninstall(installer.Host(), purge):
        print(sentence)


def describe_state(found: installer.ServiceState) -> str:
    """Return the service's state as text."""
    if not found.installed:
        return "not installed: sudo mien service install"
    words = {"active": "runs", "activating": "is starting or waits for its camera"}
    lines = [words.get(found.active, f"does not run ({found.active}; last: {found.result})")]
    if found.active == "active" and found.since:
        lines[0] += f" since {found.since}"
    if found.status:
        lines.append(found.status)
    lines.append(f"{'starts' if found.enabled == 'enabled' else 'does not start'} with the system")
    if found.restarts:
        often = "once" if found.restarts == 1 else f"{found.restarts} times"
        lines.append(f"restarted {often} by systemd: journalctl -u mien -p warning")
    if found.memory is not None:
        lines.append(f"holds {found.memory / 2**20:.0f} MiB")
    if not found.current:
        lines.append("/etc/mien.toml or mien changed since: sudo mien service install")
    return "\n".join(lines)


def service_options() -> UnitOptions:
    """Return the unit's options, from the service's file and environment, not the caller's."""
    settings = read_settings(run, None, installer.service_environment())
    return installer.unit_options({key: setting.value for key, setting in settings.items()}, CONFIG)
