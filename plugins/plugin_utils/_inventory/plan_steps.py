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

# Step of a playbook -> the member of the plan that has its hosts.
HOSTS_OF_STEP = {
    # Hosts without the key change. A failed one does not stop the others.
    "outer": "outer_hosts",
    # Hosts with the key change, and are proven.
    "key_hosts": "key_hosts_to_change",
    # slurmrestd is brought up to date and proven, or stopped.
    "slurmrestd": "slurmrestd_hosts",
    # Keys, key sets and copies that are no longer used are put aside.
    "tidying": "tidying_hosts",
    # The next HS256 key is put beside the one in force.
    "stage_key": "rotating",
    # The next RS256 key is made and published, and signs.
    "rsa_rotation": "rsa_rotation",
}
# Steps that check mode leaves out, because they need the next key.
HOSTS_OF_CHANGES = {
    # Tokens of the next key, which the controller has signed, are put beside those in use.
    "send_next_tokens": "new_token_hosts",
    # The same, if an earlier run has staged some. The controller that signs takes part.
    "stage_tokens": "signer_and_services",
    # The next key comes into force, and is proven.
    "swap_key": "rotating",
    # Daemons load it, if it was not swapped in place.
    "load_key": "loading",
    # Standbys load it, if it was swapped in place.
    "load_key_on_standbys": "loading_standbys",
    # Tokens change at the same instant as the key.
    "swap_tokens": "swapping_tokens",
    # Tokens change after daemons have loaded the key.
    "activate_tokens": "activating_tokens",
    # slurmrestd is started again, because it ends with slurmdbd.
    "restart_slurmrestd": "slurmrestd_dies",
    # Staged tokens and the staged key are removed.
    "unstage_tokens": "services",
    "unstage_key": "key_hosts_to_change",
    # Services get tokens of the next RS256 key.
    "send_rsa_tokens": "receiving",
    # The old RS256 key is withdrawn.
    "withdraw_rsa_key": "rsa_rotation",
    # A swap in place did not reach the daemons, so they load the key in another way.
    "load_unproven_key": "rotating",
}


def planned_hosts(hostvars: Mapping[str, Any], step: str) -> list[str]:
    """The hosts of one step of a playbook, from the plan that an earlier play left with localhost.

    Steps that are not in the tables: ``put_back`` follows a failure, ``openmetrics`` rotates the key for metrics, and
    ``report`` closes the run.
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
    if plan.get("check_mode") and (step == "openmetrics" or step in HOSTS_OF_CHANGES):
        return []
    if step == "openmetrics":
        hosts = list((plan.get(step) or {}).get("hosts") or ())
    else:
        hosts = list(plan.get({**HOSTS_OF_STEP, **HOSTS_OF_CHANGES}[step]) or ())
    if step == "withdraw_rsa_key":
        # Services must have tokens of the new key before the old one is withdrawn.
        lost = TOKENS_FAILURE in hostvars["localhost"]
        return hosts if plan.get("makes_key") and not lost else []
    if step == "load_unproven_key":
        return hosts if _is_unproven(hostvars, plan) else []
    return [host for host in hosts if not is_left_out(hostvars, host)]


def _is_unproven(hostvars: Mapping[str, Any], plan: Mapping[str, Any]) -> bool:
    """Whether the daemons did not see the swap in place."""
    proof = raw(hostvars, plan["primary"]).get("slurm_jwt_proof") or {} if plan.get("rotating") else {}
    return proof.get("proven") is False


def is_left_out(hostvars: Mapping[str, Any], host: str) -> bool:
    """Whether an earlier step of this run failed on this host, and only there."""
    if host not in hostvars:
        return False
    left: Mapping[str, Any] = raw(hostvars, host).get(LEFT_OUT) or {}
    return bool(left) and left.get("run") == run_of(hostvars)
