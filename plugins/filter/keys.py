# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filters about keys. NAME.yml beside this file documents the filter NAME."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils import _cluster, _key_metrics, _local_key, _trust
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._unsafe import filters


def inherited_keys(hostvars: Mapping[str, Any], groups: Mapping[str, Sequence[str]]) -> list[dict[str, Any]]:
    """The keys."""
    variables = _cluster.any_variables(groups, hostvars)
    key_hosts = _cluster.cluster_hosts(groups, variables, ("slurmctld", "slurmdbd"))
    looks = (hostvars[host].get("slurm_jwt_jwks_observation") for host in key_hosts if host in hostvars)
    return _trust.inherited(look for look in looks if look)


class FilterModule:
    """Filters about keys."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return filters(
            inherited_keys=inherited_keys,
            key_metrics=_key_metrics.metrics,
            trusted_sources=_local_key.sources,
        )
