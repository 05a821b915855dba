# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filters that list hosts. NAME.yml beside this file documents the filter NAME."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils import _cluster, _local_key, _services
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._unsafe import filters


def cluster_hosts(
    groups: Mapping[str, Sequence[str]],
    hostvars: Mapping[str, Any],
    components: Sequence[str] = tuple(_cluster.COMPONENTS),
) -> list[str]:
    """Every host of the cluster once, controllers first."""
    return _cluster.cluster_hosts(groups, _cluster.any_variables(groups, hostvars), components)


class FilterModule:
    """Filters that list hosts."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return filters(
            cluster_hosts=cluster_hosts,
            planned_hosts=_cluster.planned_hosts,
            primary_controller=_local_key.primary,
            proxy_hosts=_cluster.proxy_hosts,
            token_hosts=_services.token_hosts,
        )
