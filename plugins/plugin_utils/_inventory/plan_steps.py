# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The hosts of each step of a run, by its plan. Private to this collection."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._inventory.host_variables import (
    FAILURE,
    LEFT_OUT,
    PLAN,
    TOKENS_FAILURE,
    raw,
    run_of,
)

# Step of a playbook -> member of the plan.
HOSTS_OF_STEP = {
    "outer": "outer_hosts",
    "key_hosts": "key_hosts_to_change",
    "slurmrestd": "slurmrestd_hosts",
    "signer_and_services": "signer_and_services",
    "services": "services",
    "rotating": "rotating",
    "signing_anew": "signing_anew",
    "swapping": "swapping",
    "following": "following",
    "loading": "loading",
    "standing_by": "standing_by",
    "receiving": "receiving",
    "rsa_rotation": "rsa_rotation",
    "reviving": "slurmrestd_dies",
    "tidying": "tidying_hosts",
}


def planned_hosts(hostvars: Mapping[str, Any], step: str) -> list[str]:
    """The hosts of one step of a playbook, by the plan that an earlier play left with localhost.

    Steps: ``outer`` hosts, which have no key, and ``key_hosts`` change, ``slurmrestd`` ones serve the REST API. In a
    rotation ``rotating`` ones get the next key, ``signing_anew``, or ``signer_and_services`` where an earlier run has
    staged some, get tokens of it, which ``swapping`` or ``following`` ones activate, and ``loading``, ``unproven`` and
    ``standing_by`` ones have daemons load it. ``rsa_rotation`` ones get one more RS256 key, ``withdrawing`` ones lose
    the old one, and on ``reviving`` ones slurmrestd is started again. ``openmetrics`` ones have the key for metrics or
    tokens of it. ``put_back`` follows a failure, ``tidying`` a success, ``report`` closes the run.
    """
    if "localhost" not in hostvars or PLAN not in hostvars["localhost"]:
        # Nothing has been inspected: --syntax-check, --list-tasks.
        return []
    plan = hostvars["localhost"][PLAN]
    if step == "report":
        return [plan["speaker"]]
    if FAILURE in hostvars["localhost"]:
        return list(plan["hosts_to_change"]) if step == "put_back" else []
    if step == "put_back":
        return []
    if step == "openmetrics":
        return [host for host in (plan.get(step) or {}).get("hosts") or () if not is_left_out(hostvars, host)]
    if step == "withdrawing":
        # Services have tokens of the new key before the old one is withdrawn.
        lost = TOKENS_FAILURE in hostvars["localhost"]
        return [] if lost or not plan.get("makes_key") else list(plan["rsa_rotation"])
    if step == "unproven":
        # A swap in place that the daemons did not see.
        proof = raw(hostvars, plan["primary"]).get("slurm_jwt_proof") or {} if plan.get("rotating") else {}
        return list(plan["rotating"]) if proof.get("proven") is False else []
    return [host for host in plan.get(HOSTS_OF_STEP[step]) or () if not is_left_out(hostvars, host)]


def is_left_out(hostvars: Mapping[str, Any], host: str) -> bool:
    """Whether an earlier step of this run failed on this host, and only there."""
    if host not in hostvars:
        return False
    left: Mapping[str, Any] = raw(hostvars, host).get(LEFT_OUT) or {}
    return bool(left) and left.get("run") == run_of(hostvars)
