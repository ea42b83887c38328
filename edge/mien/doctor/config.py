"""Check: options in /etc/mien.toml and in the environment."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path

from mien.config import Parameter, Setting, unknown_variables
from mien.doctor.check import Check

SECRETS = ("token",)


def options(
    file: Path | None,
    settings: Mapping[str, Setting],
    known: Mapping[str, Parameter],
    environment: Mapping[str, str],
) -> Iterator[Check]:
    """Check what was read (`settings`) of what there is; no `file`: none is to be read."""
    if file is None:
        yield Check("options", "ok", "no file: the defaults")
    elif not file.exists():
        yield Check("options", "ok", f"no {file}: the defaults")
    elif not os.access(file, os.R_OK):
        remedy = f"put sudo in front to check it: {file} is the service's"
        yield Check("options", "warn", f"{file} may not be read by this user", remedy)
    else:
        here = [key for key, setting in settings.items() if str(file) in setting.place]
        yield Check("options", "ok", f"{file}: {', '.join(here) or 'nothing set'}")
        secret = [key for key in here if key in SECRETS]
        if secret and stat.S_IMODE(file.stat().st_mode) & stat.S_IROTH:
            found = f"everybody may read {' and '.join(secret)} in {file}"
            yield Check("secrets", "warn", found, f"sudo chmod 640 {file}")
    lost = unknown_variables(environment, known)
    if lost:
        yield Check(
            "environment",
            "warn",
            f"{', '.join(lost)}: no option has this name",
            "mien run --help lists the options; MIEN_MAX_FRAMES is --max-frames",
        )
