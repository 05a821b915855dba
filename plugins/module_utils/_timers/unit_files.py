# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The units of timers, and of the programs that they start. Private to this collection."""

from __future__ import annotations

from typing import Mapping

_SERVICE = """\
# Written by hpc.slurm_jwt; changes are lost.
[Unit]
Description={description}
Wants=network-online.target
After={after}
# The timer alone says how often, also after attempts that failed.
StartLimitIntervalSec=0

[Service]
Type=oneshot
ExecStart={command}
TimeoutStartSec={timeout}
{environment}# With a token in its environment a client would ask as the token's user.
UnsetEnvironment=SLURM_JWT
{sandbox}"""

_TIMER = """\
# Written by hpc.slurm_jwt; changes are lost.
[Unit]
Description={description}

[Timer]
{schedule}AccuracySec=1s

[Install]
WantedBy=timers.target
"""


def service_unit(
    description: str, command: str, timeout: int, sandbox: str, after: str = "", environment_file: str | None = None
) -> str:
    """The unit of a program that runs once. TIMEOUT is in seconds; AFTER names further units that start before it."""
    return _SERVICE.format(
        description=description,
        after=" ".join(["network-online.target", "munge.service", *after.split()]),
        command=command,
        timeout=timeout,
        environment="" if environment_file is None else f"EnvironmentFile={environment_file}\n",
        sandbox=sandbox,
    )


def timer_unit(description: str, schedule: Mapping[str, object]) -> str:
    """The unit of a timer that starts the service of the same name."""
    lines = "".join(f"{name}={value}\n" for name, value in schedule.items())
    return _TIMER.format(description=description, schedule=lines)
