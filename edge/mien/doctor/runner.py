"""All checks in their order, and the table and document they become."""

from __future__ import annotations

import json
import os
import textwrap
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from mien import board
from mien.config import CONFIG, NONE, Setting, parameters, read_settings
from mien.doctor.check import Check, run
from mien.errors import UserError

if TYPE_CHECKING:
    from mien.systemd.unit import UnitOptions

WIDTH = 100  # of the table


def everything(
    command: Callable[[], Callable[..., None]],
    service_options: Callable[[], UnitOptions],
    config: str | None = None,
    root: Path = board.SYSTEM_ROOT,
) -> list[Check]:
    """Run all checks. Never raises for what it finds.

    `command` imports and returns the command `mien run`, whose options are checked;
    `service_options` returns what the service's unit ought to be. Both may raise whatever an
    import raises. `config` is the value of --config.
    """
    from mien.doctor.network import network
    from mien.doctor.packages import packages
    from mien.doctor.system import system
    from mien.doctor.thermal import heat

    settings, about_options = _options(command, config)
    values = {key: setting.value for key, setting in settings.items()}
    threads = int(values.get("threads", 1))
    checks = run("system", lambda: system(root, threads))
    checks += run("heat", lambda: heat(root))
    checks += run("packages", lambda: packages(root))
    checks += run("cameras", _cameras)
    checks += run("model", lambda: _model(str(values.get("model", "mien")), threads))
    checks += about_options
    service = run("service", lambda: _service(service_options, root))
    runs = any(check.name == "service" and check.found.startswith("runs") for check in service)
    checks += run("network", lambda: network(values, runs))
    return checks + service


def text(checks: Iterable[Check]) -> str:
    """Return the checks as a table, what to do under what needs it."""
    listed = list(checks)
    names = max(len(check.name) for check in listed)
    indent = " " * (names + 2 + 6)
    lines = []
    for check in listed:
        state = check.state.upper() if check.state == "fail" else check.state
        head = f"{check.name.ljust(names)}  {state.ljust(6)}"
        lines += textwrap.wrap(
            head + check.found, WIDTH, subsequent_indent=indent, break_on_hyphens=False
        )
        if check.remedy:
            lines += textwrap.wrap(
                f"{indent}-> {check.remedy}",
                WIDTH,
                subsequent_indent=f"{indent}   ",
                break_on_hyphens=False,
            )
    count = {state: sum(check.state == state for check in listed) for state in ("fail", "warn")}
    lines += ["", f"{count['fail']} failed, {count['warn']} to look at, of {len(listed)} checks"]
    return "\n".join(lines)


def document(checks: Iterable[Check], root: Path = board.SYSTEM_ROOT) -> str:
    """Return the checks as one JSON document."""
    listed = list(checks)
    content = {
        "ok": not any(check.state == "fail" for check in listed),
        "raspberry_pi": board.is_pi(root),
        "checks": [
            {"name": c.name, "state": c.state, "found": c.found, "remedy": c.remedy} for c in listed
        ],
    }
    return json.dumps(content, indent=1, ensure_ascii=False)


# What follows imports OpenCV and so on late: it is just what may be broken.


def _options(
    load: Callable[[], Callable[..., None]], config: str | None
) -> tuple[dict[str, Setting], list[Check]]:
    """Return the settings of a run, none where they are wrong, and the checks about them."""
    from mien.doctor.config import options

    try:
        command = load()
    except Exception:  # the packages' checks say which import fails
        return {}, [Check("options", "skip", "not read: mien does not import whole")]
    file = None if config == NONE else CONFIG if config is None else Path(config)
    try:
        settings = read_settings(command, config)
    except UserError as error:
        return {}, [
            Check("options", "fail", str(error), f"correct it in {file or 'the environment'}")
        ]
    known = parameters(command)
    return settings, run("options", lambda: options(file, settings, known, os.environ))


def _cameras() -> Iterable[Check]:
    from mien.doctor.cameras import cameras

    return cameras()


def _model(name: str, threads: int) -> Iterable[Check]:
    from mien.doctor.model import model

    return model(name, threads)


def _service(service_options: Callable[[], UnitOptions], root: Path) -> Iterable[Check]:
    from mien.doctor.service import service

    try:
        options = service_options()
    except UserError as error:
        return [Check("service", "skip", str(error))]
    except Exception:  # as in _options
        return [Check("service", "skip", "not looked at: mien does not import whole")]
    return service(options, root)
