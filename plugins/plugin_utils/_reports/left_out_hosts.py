# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The hosts that a run left out, and why. Private to this collection.

A host without a key stops no run. The run leaves it out before the first change because of its inspection, or later
because a step failed on it. At its end the run names each of these hosts, and fails.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._inventory.host_variables import (
    LEFT_OUT,
    PLAN,
    left_with_localhost,
)
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._inventory.hostlist import grouped
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._inventory.plan_steps import is_left_out

Variables = Mapping[str, Any]


def reasons(hostvars: Mapping[str, Variables], hosts: Sequence[str]) -> dict[str, str]:
    """Host -> why it was left out, for the hosts of the plan and those of a list."""
    plan = left_with_localhost(hostvars).get(PLAN) or {}
    by_host = {str(host): str(why) for host, why in (plan.get("left_out") or {}).items()}
    planned = [host for member in ("hosts_to_change", "services", "receiving") for host in plan.get(member) or ()]
    for host in dict.fromkeys([*planned, *hosts]):
        if host in by_host or host not in hostvars:
            continue
        if is_left_out(hostvars, host):
            failed = hostvars[host][LEFT_OUT]
            by_host[host] = f"It failed in the step '{failed['task']}': {failed['cause']}"
    return by_host


def sentences(hostvars: Mapping[str, Variables], hosts: Sequence[str]) -> list[str]:
    """A sentence for each reason."""
    return grouped(reasons(hostvars, hosts).items())
