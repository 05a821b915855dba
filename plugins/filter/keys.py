# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filters about keys. NAME.yml beside this file documents the filter NAME."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._cluster import local_key, trusted_keys
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._inventory import host_variables, inventory_hosts
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._reports import key_metrics
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._unsafe import filters


def inherited_keys(hostvars: Mapping[str, Any], groups: Mapping[str, Sequence[str]]) -> list[dict[str, Any]]:
    """The keys."""
    variables = host_variables.any_variables(groups, hostvars)
    key_hosts = inventory_hosts.cluster_hosts(groups, variables, ("slurmctld", "slurmdbd"))
    looks = (hostvars[host].get("slurm_jwt_jwks_observation") for host in key_hosts if host in hostvars)
    return trusted_keys.inherited(look for look in looks if look)


class FilterModule:
    """Filters about keys."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return filters(
            inherited_keys=inherited_keys,
            key_metrics=key_metrics.metrics,
            trusted_sources=local_key.sources,
        )
