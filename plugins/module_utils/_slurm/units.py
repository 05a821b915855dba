# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""systemd units as ``systemctl show`` reports them. Private to this collection."""

from __future__ import annotations

import re
import time
from signal import SIGUSR1
from typing import NamedTuple, Sequence

_PROPERTIES = (
    "LoadState",
    "ActiveState",
    "SubState",
    "Result",
    "UnitFileState",
    "MainPID",
    "User",
    "Environment",
    "EnvironmentFiles",
    "FragmentPath",
    "DropInPaths",
    "NeedDaemonReload",
    "ExecStart",
    "ExecMainStartTimestampMonotonic",
    "ExecMainCode",
    "ExecMainStatus",
    "InvocationID",
    "NextElapseUSecRealtime",
    "InaccessiblePaths",
    "ProtectHome",
)
# CLD_KILLED of waitid(2); Python has it from 3.9 on.
_KILLED = "2"
# What ProtectHome=yes hides; see systemd.exec(5).
_HOMES = ("/home", "/root", "/run/user")


class Unit(NamedTuple):
    """One unit."""

    load: str = ""
    active: str = ""
    sub: str = ""
    enabled: str = ""
    pid: int = 0
    user: str = ""
    slurm_jwt: bool = False
    """Whether SLURM_JWT is set by the unit itself."""
    environment_files: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    """The unit's own file and its drop-ins."""
    needs_reload: bool = False
    environment: tuple[str, ...] = ()
    """The variables that the unit itself sets, as systemd writes them."""
    program: str | None = None
    """The program that it starts."""
    result: str = ""
    signal: int = 0
    """The signal that ended its main process, if one did."""
    started: float = 0.0
    """When its main process was started last, in seconds since 1970; 0 if systemd does not report it."""
    invocation: str = ""
    """The identifier of its current start, also in the journal."""
    next_start: str = ""
    """When a timer starts its service next, as systemd prints it; empty if that is not known."""
    inaccessible: tuple[str, ...] = ()
    """Folders and files that the unit hides from its processes."""

    @property
    def exists(self) -> bool:
        return self.load not in ("", "not-found")

    @property
    def dead(self) -> bool:
        """Whether it will not come up by itself."""
        return self.load == "not-found" or self.active in ("failed", "inactive")

    @property
    def ended_as_standby(self) -> bool:
        """Whether SIGUSR1 ended it, as it ends a standby slurmdbd of Slurm 26.05 when the primary comes back."""
        return self.dead and self.signal == SIGUSR1

    @property
    def in_use(self) -> bool:
        """Whether it is meant to run on this host, and not only came with a package."""
        return self.active in ("active", "activating", "reloading", "failed") or self.enabled.startswith("enabled")


NO_UNIT = Unit()


def unit_name(service: str) -> str:
    """The unit's full name: systemctl adds the suffix, control groups do not."""
    return service if service.endswith((".service", ".socket", ".timer")) else f"{service}.service"


def show(services: Sequence[str], systemctl: str = "systemctl") -> list[str]:
    """The command whose output parse() reads."""
    return [systemctl, "show", "--property", ",".join(_PROPERTIES), "--", *map(unit_name, services)]


def parse(text: str) -> list[Unit]:
    """The units in the order in which they were asked for."""
    return [_parse(block) for block in text.strip().split("\n\n") if block.strip()]


def _parse(block: str) -> Unit:
    values: dict[str, list[str]] = {}
    for line in block.splitlines():
        name, dummy_sep, value = line.partition("=")
        values.setdefault(name, []).append(value)

    def last(name: str) -> str:
        return values.get(name, [""])[-1]

    pid, microseconds = last("MainPID"), last("ExecMainStartTimestampMonotonic")
    since_boot = int(microseconds) / 1e6 if microseconds.isdigit() else 0.0
    return Unit(
        load=last("LoadState"),
        active=last("ActiveState"),
        sub=last("SubState"),
        enabled=last("UnitFileState"),
        pid=int(pid) if pid.isdigit() else 0,
        user=last("User"),
        slurm_jwt=any(re.search(r'(?:^|[\s"\'])SLURM_JWT=', value) for value in values.get("Environment", ())),
        environment_files=tuple(
            value.rpartition(" (ignore_errors=")[0] or value for value in values.get("EnvironmentFiles", ()) if value
        ),
        files=tuple(name for name in [last("FragmentPath"), *last("DropInPaths").split()] if name),
        needs_reload=last("NeedDaemonReload") == "yes",
        environment=tuple(filter(None, values.get("Environment", ()))),
        program=next(iter(re.findall(r"\{ path=(\S+) ;", last("ExecStart"))), None),
        result=last("Result"),
        signal=int(last("ExecMainStatus") or 0) if last("ExecMainCode") == _KILLED else 0,
        started=since_boot and time.time() - time.clock_gettime(time.CLOCK_MONOTONIC) + since_boot,
        invocation=last("InvocationID"),
        next_start=last("NextElapseUSecRealtime"),
        inaccessible=(
            *(path.lstrip("-+") for value in values.get("InaccessiblePaths", ()) for path in value.split()),
            *(_HOMES if last("ProtectHome") == "yes" else ()),
        ),
    )
