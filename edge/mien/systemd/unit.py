"""Unit file of the service: sandbox, watchdog, network."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

UNIT_NAME = "mien.service"
SERVICE_USER = "mien"
ENVIRONMENT_FILE = Path("/etc/default/mien")
# Between two attempts to find a lost camera lie 30 s, its opening and its first frame.
WATCHDOG_TIMEOUT_S = 90
START_TIMEOUT_S = (
    180  # a Pi Zero with a cold card, and a camera that is only found at the second attempt
)

# `{...}` are filled in by `unit`. What stands here was weighed against what cameras and the
# interpreter need; docs/service.md says of each what it is for.
UNIT_TEMPLATE = """\
# Written by `mien service install`, which writes it anew: put changes into a drop-in instead
# (`systemctl edit mien`).
[Unit]
Description=Mien reads facial expressions
{ordering}# A camera may be plugged in next week: never give up.
StartLimitIntervalSec=0

[Service]
Type=notify
NotifyAccess=main
ExecStart={program} run --config {config}{append}
EnvironmentFile=-{environment}
# Where every thread stood is written to the journal when the watchdog ends it.
Environment=PYTHONFAULTHANDLER=1 PYTHONUNBUFFERED=1
WatchdogSec={watchdog}
TimeoutStartSec={start}
TimeoutStopSec=20
TimeoutAbortSec=5
Restart=on-failure
RestartSec=10
# A core file would hold pictures.
LimitCORE=0

User={user}
Group={user}
SupplementaryGroups=video
StateDirectory=mien
StateDirectoryMode=0750
WorkingDirectory=/var/lib/mien
UMask=0027

MemoryMax={memory}
MemorySwapMax=0
TasksMax=128
# The page holds at most 128 connections; cameras and models take some thirty descriptors.
LimitNOFILE=1024
Nice=5

{network}
# Cameras, the Pi's camera pipeline and its firmware's thermometer; nothing else under /dev.
DevicePolicy=closed
DeviceAllow=char-video4linux rw
DeviceAllow=char-media rw
DeviceAllow=char-dma_heap rw
DeviceAllow=/dev/vcio rw

NoNewPrivileges=yes
CapabilityBoundingSet=
AmbientCapabilities=
ProtectSystem=strict
ProtectHome=yes
PrivateTmp=yes
ProtectClock=yes
ProtectHostname=yes
ProtectControlGroups=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
# Read-only, not hidden: without /sys and /proc/cpuinfo the interpreter drops its fast kernels
# without a word, so neither ProcSubset=pid nor InaccessiblePaths=/sys.
ProtectKernelTunables=yes
ProtectProc=invisible
RemoveIPC=yes
LockPersonality=yes
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallFilter=~@privileged @resources
SystemCallErrorNumber=EPERM

[Install]
WantedBy=multi-user.target
"""
# libcamera asks udev for its cameras over netlink, and journal and notify sockets are Unix ones.
NETWORK_DENIED = """\
# Neither page nor broker nor stream: no network at all.
PrivateNetwork=yes
IPAddressDeny=any
RestrictAddressFamilies=AF_UNIX AF_NETLINK
"""
NETWORK_ALLOWED = """\
# Needs the network for {reason}.
RestrictAddressFamilies=AF_UNIX AF_NETLINK AF_INET AF_INET6
"""


@dataclass(frozen=True)
class UnitOptions:
    """Options of the unit file."""

    program: Path  # the `mien` of the virtual environment
    config: Path
    network: str | None  # what the network is needed for; None where it is not
    fps: float | None = None  # frames/s that were asked for
    stall: float | None = None  # s without a frame after which a camera is lost
    memory: str = "400M"  # MemoryMax
    append: bool = True  # go on with recordings at each start


def unit_text(options: UnitOptions) -> str:
    """Return the unit's text."""
    after = "Wants=network-online.target\nAfter=network-online.target time-sync.target\n"
    return UNIT_TEMPLATE.format(
        program=_quoted(options.program),
        config=_quoted(options.config),
        append=" --append" if options.append else "",
        environment=ENVIRONMENT_FILE,
        watchdog=watchdog_timeout(options),
        start=START_TIMEOUT_S,
        user=SERVICE_USER,
        memory=options.memory,
        ordering=after if options.network else "",
        network=NETWORK_ALLOWED.format(reason=options.network)
        if options.network
        else NETWORK_DENIED,
    )


def watchdog_timeout(options: UnitOptions) -> int:
    """Return the watchdog's timeout, s: longer than the slowest frames and a lost camera need."""
    slow = 3 / options.fps if options.fps else 0.0
    return round(max(WATCHDOG_TIMEOUT_S, slow, (options.stall or 0.0) + WATCHDOG_TIMEOUT_S / 2))


def network_for(values: Mapping[str, Any]) -> str | None:
    """Return what the options of a run need the network for; None where nothing does."""
    if values.get("web"):
        return "the page"
    if values.get("mqtt"):
        return "the broker"
    if "://" in str(values.get("source", "")):
        return "the stream"
    if any("://" in str(reaction) for reaction in values.get("on") or ()):
        return "a reaction"
    return None


def _quoted(path: Path) -> str:
    """Return a path as systemd reads it: `%` is its own sign, spaces need quotes."""
    text = str(path).replace("%", "%%")
    return f'"{text}"' if any(c in text for c in " \t'") else text
