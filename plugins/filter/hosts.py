# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filters that list hosts. NAME.yml beside this file documents the filter NAME."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._cluster import local_key
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._inventory import (
    host_variables,
    inventory_hosts,
    listeners,
    plan_steps,
)
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._services import declared_services
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._unsafe import filters


def cluster_hosts(
    groups: Mapping[str, Sequence[str]],
    hostvars: Mapping[str, Any],
    components: Sequence[str] = tuple(inventory_hosts.COMPONENTS),
    only: bool = False,
) -> list[str]:
    """Every host of the cluster once, controllers first; see inventory_hosts.cluster_hosts."""
    variables = host_variables.any_variables(groups, hostvars)
    return inventory_hosts.cluster_hosts(groups, variables, components, only)


class FilterModule:
    """Filters that list hosts."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return filters(
            cluster_hosts=cluster_hosts,
            default_listener=listeners.default_listener,
            planned_hosts=plan_steps.planned_hosts,
            primary_controller=local_key.primary,
            proxy_hosts=inventory_hosts.proxy_hosts,
            token_hosts=declared_services.token_hosts,
        )
