# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What systemd shuts our programs off from; several modules write their units. Private to this collection.

Each line is described in systemd.exec(5) or systemd.resource-control(5). An older systemd warns of a line that it does
not know and goes on. A program whose memory holds a token dumps none of it: with a pipe in kernel.core_pattern the
limit alone does not hold, so the filter leaves nothing but the headers.
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
    ``denied`` are the groups of system calls that it does without, of those that systemd calls @system-service.
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
