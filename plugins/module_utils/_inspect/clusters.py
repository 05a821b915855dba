# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Asks slurmdbd which clusters it serves, from a controller. Private to this collection."""

from __future__ import annotations

from typing import Any

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._inspect.host import Host
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._slurm import install_paths

SECONDS = 10
"""How long slurmdbd may take. The inspection of all hosts waits for it."""
LONGEST_ERROR = 500


def inspect(host: Host) -> dict[str, Any] | None:
    """The running clusters, or why they are not known; None if this host does not ask."""
    if not host.options.clusters or "slurmctld" not in host.components or not host.conf_is_sound():
        return None
    program = install_paths.find_program("sacctmgr", host.options.bin_dirs)
    if program is None:
        return _unknown("There is no sacctmgr")
    rc, out, err = host.command(
        ["timeout", str(SECONDS), program, "--noheader", "--parsable2", "list", "cluster", "format=cluster,controlhost"]
    )
    if rc:
        return _unknown(f"It did not answer within {SECONDS} s" if rc == 124 else " ".join((err or out).split()))
    rows = [line.split("|") for line in out.splitlines() if line]
    # A registered cluster that does not run has no address.
    return {"running": [row[0].lower() for row in rows if len(row) > 1 and row[1]], "error": None}


def _unknown(error: str) -> dict[str, Any]:
    return {"running": [], "error": error[:LONGEST_ERROR].rstrip(".") or "sacctmgr failed without a message"}
