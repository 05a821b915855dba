# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filters about tokens of services. NAME.yml beside this file documents the filter NAME."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils import _cluster, _services, _timers
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._unsafe import filters


def token_orders(hostvars: Mapping[str, Any], hosts: Sequence[str]) -> list[dict[str, Any]]:
    """The orders, made from what is declared now as it was at the beginning of the run."""
    _cluster.check_declarations(hostvars, hosts)
    return _services.orders(hostvars, hosts)


def token_services(
    services: Sequence[Mapping[str, Any]],
    host: str,
    groups: Mapping[str, Sequence[str]],
    group: str = _services.GROUP[1],
) -> list[dict[str, Any]]:
    """The services of one host."""
    return _services.services_on(host, services, groups, group)


class FilterModule:
    """Filters about tokens of services."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return filters(
            token_delivery=_services.delivery,
            token_entries=_services.entries,
            token_orders=token_orders,
            token_services=token_services,
            token_signer=_services.signer,
            token_timers=_timers.timers,
            token_units=_services.units,
        )
