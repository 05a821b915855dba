# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The hosts of a Slurm cluster in an inventory, by component and by step of a run. Private to this collection."""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._inventory import declarations

DECLARATIONS = declarations.NAME

# Component -> (variable with the name of its inventory group, default name).
# Hosts are listed in this order everywhere.
COMPONENTS = {
    "slurmctld": ("slurm_jwt_group_slurmctld", "slurmctld"),
    "slurmdbd": ("slurm_jwt_group_slurmdbd", "slurmdbd"),
    "slurmrestd": ("slurm_jwt_group_slurmrestd", "slurmrestd"),
    "node": ("slurm_jwt_group_nodes", "slurm_nodes"),
}


class ClusterError(declarations.DeclarationError):
    """The inventory does not describe a cluster."""


def hosts_by_component(
    groups: Mapping[str, Sequence[str]], variables: Mapping[str, Any]
) -> dict[str, list[str]]:
    """The hosts of each component; ``variables`` of any host have the names of the groups.

    Once the declarations are frozen it is what was frozen, whatever variables say later.
    """
    frozen = variables.get(DECLARATIONS)
    if frozen:
        return {component: list(frozen["components"].get(component, ())) for component in COMPONENTS}
    return {
        component: list(groups.get(variables.get(option) or name, ()))
        for component, (option, name) in COMPONENTS.items()
    }


def cluster_hosts(
    groups: Mapping[str, Sequence[str]],
    variables: Mapping[str, Any],
    components: Sequence[str] = tuple(COMPONENTS),
    only: bool = False,
) -> list[str]:
    """Every host of the cluster or of some components once, controllers first. ``only``: and of no other component."""
    if not groups.get("all"):
        return []
    found = hosts_by_component(groups, variables)
    if not found["slurmctld"]:
        option, name = COMPONENTS["slurmctld"]
        raise ClusterError(
            f"The inventory has no host in the group {variables.get(option) or name}, so there is no controller to "
            f"work on. Put the hosts of slurmctld there, or name your own group in the variable {option} (for all "
            "hosts, or with --extra-vars)."
        )
    chosen = dict.fromkeys(host for component in COMPONENTS if component in components for host in found[component])
    others = {host for component in COMPONENTS if component not in components for host in found[component]}
    return [host for host in chosen if not (only and host in others)]


def any_variables(groups: Mapping[str, Sequence[str]], hostvars: Mapping[str, Any]) -> Mapping[str, Any]:
    """The variables of the first host of the inventory, to choose the hosts of a play, and the frozen declarations."""
    everybody = [host for host in groups.get("all") or () if host in hostvars]
    first: Mapping[str, Any] = hostvars[everybody[0]] if everybody else {}
    frozen = frozen_declarations(hostvars)
    return ChainMap({DECLARATIONS: frozen}, first) if frozen else first  # type: ignore[arg-type]


def raw(hostvars: Mapping[str, Any], host: str) -> Mapping[str, Any]:
    """The variables of a host, not evaluated: to evaluate all takes long."""
    found: Mapping[str, Any] = getattr(hostvars, "raw_get", hostvars.__getitem__)(host)
    return found


def frozen_declarations(hostvars: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """What slurm_jwt_declarations froze at the beginning of the run; None before that."""
    if "localhost" not in hostvars:
        return None
    frozen: Mapping[str, Any] | None = raw(hostvars, "localhost").get(DECLARATIONS)
    return frozen


def check_declarations(hostvars: Mapping[str, Any], hosts: Sequence[str]) -> None:
    """Raise DeclarationsChanged if the declarations of a host have changed since."""
    known = [host for host in hosts if host in hostvars]
    declarations.check(frozen_declarations(hostvars), lambda host: raw(hostvars, host), known)


def left_with_localhost(hostvars: Mapping[str, Any]) -> Mapping[str, Any]:
    """The variables of localhost, where earlier plays leave results. It exists even if no inventory names it."""
    if "localhost" not in hostvars:
        return {}
    left: Mapping[str, Any] = hostvars["localhost"]
    return left


PLAN, FAILURE, TOKENS_FAILURE = "slurm_jwt_plan", "slurm_jwt_failure", "slurm_jwt_tokens_failure"
# The failed step of a host that was left out, see tasks/leave_out.yml.
LEFT_OUT = "slurm_jwt_left_out"
PROXY_GROUP = ("slurm_jwt_group_proxy", "slurm_proxy")


def proxy_hosts(groups: Mapping[str, Sequence[str]], hostvars: Mapping[str, Any]) -> list[str]:
    """The hosts of the authenticating proxy; none after a failed play that it depends on."""
    local = left_with_localhost(hostvars)
    if FAILURE in local or TOKENS_FAILURE in local:
        return []
    option, name = PROXY_GROUP
    return list(groups.get(any_variables(groups, hostvars).get(option) or name, ()))


# Behind the proxy a socket, as any user can take a port that is free for a moment.
DEFAULT_LISTENER, DEFAULT_LISTENER_BEHIND_PROXY = "127.0.0.1:6820", "unix:/run/slurmrestd/slurmrestd.socket"


def default_listener(group_names: Sequence[str], proxy_group: str = "") -> str:
    """Where slurmrestd listens on a host of these groups, if the site does not declare slurmrestd_listen."""
    behind_proxy = (proxy_group or PROXY_GROUP[1]) in group_names
    return DEFAULT_LISTENER_BEHIND_PROXY if behind_proxy else DEFAULT_LISTENER


def default_listeners(groups: Mapping[str, Sequence[str]], hostvars: Mapping[str, Any]) -> dict[str, str]:
    """The default address on each host of slurmrestd for which slurmrestd_listen is not declared."""
    behind_proxy = proxy_hosts(groups, hostvars)
    return {
        host: DEFAULT_LISTENER_BEHIND_PROXY if host in behind_proxy else DEFAULT_LISTENER
        for host in hosts_by_component(groups, any_variables(groups, hostvars))["slurmrestd"]
        if host in hostvars and "slurmrestd_listen" not in hostvars[host]
    }


def planned_hosts(hostvars: Mapping[str, Any], step: str) -> list[str]:
    """The hosts of one step of a playbook, by the plan that an earlier play left with localhost.

    Steps: ``outer`` hosts, which have no key, and ``key_hosts`` change, ``slurmrestd`` ones serve the REST API. In a
    rotation ``signer_and_services`` and ``services`` get tokens of the next key, ``rsa_rotation`` ones one more RS256
    key, ``withdrawing`` ones lose the old one, and on ``reviving`` ones slurmrestd is started again. ``put_back``
    follows a failure, ``tidying`` a success, ``report`` closes the run.
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
    if step == "tidying":
        return [host for host in plan["hosts_to_change"] if not is_left_out(hostvars, host)]
    if step == "withdrawing":
        # Services have tokens of the new key before the old one is withdrawn.
        lost = TOKENS_FAILURE in hostvars["localhost"]
        return [] if lost or not plan.get("makes_key") else list(plan["rsa_rotation"])
    return [host for host in plan.get(HOSTS_OF_STEP[step]) or () if not is_left_out(hostvars, host)]


def is_left_out(hostvars: Mapping[str, Any], host: str) -> bool:
    """Whether an earlier step of this run failed on this host, and only there."""
    if host not in hostvars:
        return False
    left: Mapping[str, Any] = raw(hostvars, host).get(LEFT_OUT) or {}
    return bool(left) and left.get("run") == run_of(hostvars)


def run_of(hostvars: Mapping[str, Any]) -> str:
    """The name of this run of a playbook; another one in the same process has another name."""
    return str((frozen_declarations(hostvars) or {}).get("run", ""))


# Step of a playbook -> member of the plan.
HOSTS_OF_STEP = {
    "outer": "outer_hosts",
    "key_hosts": "key_hosts_to_change",
    "slurmrestd": "slurmrestd_hosts",
    "signer_and_services": "signer_and_services",
    "services": "services",
    "receiving": "receiving",
    "rsa_rotation": "rsa_rotation",
    "reviving": "slurmrestd_dies",
}
