# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The sandbox of this collection's programs; several modules write their units. Private to this collection.

Each line is described in systemd.exec(5) or systemd.resource-control(5). An older systemd warns of a line that it does
not know and goes on. A core dump must not hold a token. LimitCORE has no effect if kernel.core_pattern is a pipe, so
CoredumpFilter leaves only the headers.
"""

from __future__ import annotations

from typing import Sequence

NO_CORE_DUMPS = ("LimitCORE=0", "CoredumpFilter=elf-headers")

_ALWAYS = (
    "UMask=0077",
    "NoNewPrivileges=yes",
    "KeyringMode=private",
    "ProtectSystem=strict",
    "PrivateTmp=yes",
    "PrivateDevices=yes",
    "PrivateMounts=yes",
    "ProtectClock=yes",
    "ProtectHostname=yes",
    "ProtectKernelLogs=yes",
    "ProtectKernelModules=yes",
    "ProtectKernelTunables=yes",
    "ProtectControlGroups=yes",
    "ProtectProc=invisible",
    "RestrictNamespaces=yes",
    "RestrictRealtime=yes",
    "RestrictSUIDSGID=yes",
    "LockPersonality=yes",
    "MemoryDenyWriteExecute=yes",
    "SystemCallArchitectures=native",
    "SystemCallErrorNumber=EPERM",
    "SystemCallFilter=@system-service",
)


def lines(
    families: Sequence[str],
    capabilities: Sequence[str] = (),
    ambient: bool = False,
    home: str = "yes",
    denied: Sequence[str] = ("@privileged", "@resources"),
) -> list[str]:
    """The lines of a unit's [Service] section for a program that needs these address families and capabilities.

    ``ambient`` gives it the capabilities although its user is not root. ``home`` is the value of ProtectHome.
    ``denied`` are groups of system calls to remove from systemd's group @system-service.
    """
    return [
        *NO_CORE_DUMPS,
        *_ALWAYS,
        f"SystemCallFilter=~{' '.join(denied)}",
        f"ProtectHome={home}",
        f"RestrictAddressFamilies={' '.join(families)}",
        f"CapabilityBoundingSet={' '.join(capabilities)}",
        *(f"AmbientCapabilities={capability}" for capability in capabilities if ambient),
    ]
