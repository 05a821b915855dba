# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filters about tokens of services. NAME.yml beside this file documents the filter NAME."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._inventory import host_variables
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._services import (
    declared_services,
    token_exchange,
    token_signer,
    token_timers,
)
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._unsafe import filters


def token_orders(
    hostvars: Mapping[str, Any], hosts: Sequence[str], openmetrics_key: str | None = None
) -> list[dict[str, Any]]:
    """The requests, if the declarations have not changed since the beginning of the run."""
    host_variables.check_declarations(hostvars, hosts)
    return token_exchange.requests(hostvars, hosts, openmetrics_key)


def new_token_orders(
    hostvars: Mapping[str, Any], hosts: Sequence[str], groups: Mapping[str, Sequence[str]]
) -> list[dict[str, Any]]:
    """The requests for all new tokens, if the declarations have not changed since the beginning of the run."""
    host_variables.check_declarations(hostvars, hosts)
    return token_exchange.new_requests(hostvars, hosts, groups)


def token_services(
    services: Sequence[Mapping[str, Any]],
    host: str,
    groups: Mapping[str, Sequence[str]],
    group: str = declared_services.GROUP[1],
) -> list[dict[str, Any]]:
    """The services of one host."""
    return declared_services.services_on(host, services, groups, group)


def signer(
    hostvars: Mapping[str, Any], groups: Mapping[str, Sequence[str]], hosts: Sequence[str]
) -> dict[str, Any]:
    """The controller that signs, as a dictionary."""
    return token_signer.signer(hostvars, groups, hosts)._asdict()


class FilterModule:
    """Filters about tokens of services."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return filters(
            new_token_delivery=token_exchange.new_delivery,
            new_token_orders=new_token_orders,
            token_delivery=token_exchange.delivery,
            token_entries=token_exchange.entries,
            token_orders=token_orders,
            token_services=token_services,
            token_signer=signer,
            token_timers=token_timers.timers,
            token_units=token_exchange.units,
        )
