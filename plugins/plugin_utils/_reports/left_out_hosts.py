# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The hosts that a run went on without, and why. Private to this collection.

A host without a key stops nobody: it is left out before the first change by what it answered, or later by a step that
failed on it alone. At its end the run names each, and fails.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._inventory.hostlist import folded
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._inventory.inventory_hosts import (
    LEFT_OUT,
    PLAN,
    is_left_out,
    left_with_localhost,
)

Variables = Mapping[str, Any]

# Results that say whether a host was lost on the way.
_STEPS = (
    "slurm_jwt_conf",
    "slurmrestd_dropin",
    "slurmrestd_unit",
    "slurm_jwt_tokens_observation",
    "slurm_jwt_tokens_written",
)


def reasons(hostvars: Mapping[str, Variables], hosts: Sequence[str]) -> dict[str, str]:
    """Host -> why the run went on without it, for the plan's hosts and those of a list."""
    plan = left_with_localhost(hostvars).get(PLAN) or {}
    found = {str(host): str(why) for host, why in (plan.get("left_out") or {}).items()}
    planned = [host for member in ("hosts_to_change", "services", "receiving") for host in plan.get(member) or ()]
    for host in dict.fromkeys([*planned, *hosts]):
        if host in found or host not in hostvars:
            continue
        variables = hostvars[host]
        if is_left_out(hostvars, host):
            failed = variables[LEFT_OUT]
            found[host] = f"It failed in the step '{failed['task']}': {failed['cause']}"
        elif any(_unreachable(variables.get(name)) for name in _STEPS):
            found[host] = "It could not be reached any more."
    return found


def told(hostvars: Mapping[str, Variables], hosts: Sequence[str]) -> list[str]:
    """A sentence for each reason: it may be the same on thousands of nodes."""
    alike: dict[str, list[str]] = {}
    for host, why in reasons(hostvars, hosts).items():
        alike.setdefault(why, []).append(host)
    return [f"{folded(names)}: {why}" for why, names in alike.items()]


def _unreachable(result: Any) -> bool:
    return isinstance(result, Mapping) and bool(result.get("unreachable"))
