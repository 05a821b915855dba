# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The hosts of a Slurm cluster in an inventory, by component. Private to this collection."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._inventory import declarations
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._inventory.host_variables import (
    DECLARATIONS,
    FAILURE,
    PROXY_FAILURE,
    TOKENS_FAILURE,
    any_variables,
    left_with_localhost,
)

# Component -> (variable with the name of its inventory group, default name).
# Hosts are listed in this order everywhere.
COMPONENTS = {
    "slurmctld": ("slurm_jwt_group_slurmctld", "slurmctld"),
    "slurmdbd": ("slurm_jwt_group_slurmdbd", "slurmdbd"),
    "slurmrestd": ("slurm_jwt_group_slurmrestd", "slurmrestd"),
    "node": ("slurm_jwt_group_nodes", "slurm_nodes"),
}
PROXY_GROUP = ("slurm_jwt_group_proxy", "slurm_proxy")


class ClusterError(declarations.DeclarationError):
    """The inventory does not describe a cluster."""


def hosts_by_component(
    groups: Mapping[str, Sequence[str]], variables: Mapping[str, Any]
) -> dict[str, list[str]]:
    """The hosts of each component. ``variables``: those of any host, with the names of the groups.

    When the declarations are frozen, it returns the frozen hosts and ignores the variables.
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
    """Every host of the cluster or of some components once, controllers first. ``only``: none of other components."""
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


def proxy_hosts(groups: Mapping[str, Sequence[str]], hostvars: Mapping[str, Any]) -> list[str]:
    """The hosts of the authenticating proxy; none if a play that it depends on has failed."""
    local = left_with_localhost(hostvars)
    if {FAILURE, TOKENS_FAILURE, PROXY_FAILURE} & set(local):
        return []
    option, name = PROXY_GROUP
    return list(groups.get(any_variables(groups, hostvars).get(option) or name, ()))
