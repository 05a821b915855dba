# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The services that use tokens, as the site declares them. Private to this collection."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._inventory.declarations import DeclarationError
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._inventory.host_variables import (
    FAILURE,
    PLAN,
    any_variables,
    left_with_localhost,
)
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._inventory.inventory_hosts import hosts_by_component

Service = Mapping[str, Any]
Variables = Mapping[str, Any]

GROUP = ("slurm_jwt_group_tokens", "slurm_token_hosts")
DECLARED = "slurm_jwt_tokens_services"
DEFAULTS = {"lifespan": "1d", "format": "raw", "key": "cluster"}

# The key that signs: the cluster's own, or the one for slurmctld's metrics.
CLUSTER, OPENMETRICS = "cluster", "openmetrics"
KEYS = (CLUSTER, OPENMETRICS)


class ServicesError(DeclarationError):
    """The declaration of services is invalid."""


def group_of(variables: Variables) -> str:
    """The name of the inventory group of hosts that use tokens."""
    option, name = GROUP
    return str(variables.get(option) or name)


def hosts_of(service: Service, groups: Mapping[str, Sequence[str]], group: str) -> list[str]:
    """The hosts of one service: those that it names, directly or by groups, otherwise those of the inventory group."""
    if service.get("hosts") is None:
        return list(groups.get(group, ()))
    hosts: list[str] = []
    for name in service["hosts"]:
        if name in groups:
            hosts += groups[name]
        elif name in groups.get("all", ()):
            hosts.append(name)
        else:
            raise ServicesError(
                f"{DECLARED}: the service {service.get('name')} is to be on {name}, which is neither a host nor a "
                "group of the inventory. Correct the name, or add the host."
            )
    return list(dict.fromkeys(hosts))


def services_on(
    host: str, services: Iterable[Service], groups: Mapping[str, Sequence[str]], group: str
) -> list[dict[str, Any]]:
    """The services of one host, with the defaults filled in."""
    here: list[dict[str, Any]] = []
    for service in services:
        if host not in hosts_of(service, groups, group):
            continue
        if service["name"] in [each["name"] for each in here]:
            raise ServicesError(
                f"{DECLARED}: {host} has two services called {service['name']}. Give each a name of its own."
            )
        here.append({**DEFAULTS, **{name: value for name, value in service.items() if value is not None}})
    return here


def declared(hostvars: Mapping[str, Variables]) -> list[Service]:
    """Every service that any host declares; a service that is declared for all hosts comes once for each."""
    return [service for host in hostvars for service in hostvars[host].get(DECLARED) or ()]


def service_hosts(groups: Mapping[str, Sequence[str]], hostvars: Mapping[str, Variables]) -> list[str]:
    """Each host with a service."""
    everywhere = any_variables(groups, hostvars)
    group = group_of(everywhere)
    candidates = list(groups.get(group, ()))
    for service in everywhere.get(DECLARED) or ():
        candidates += hosts_of(service, groups, group)
    return [
        host
        for host in dict.fromkeys(candidates)
        # For --syntax-check there are no variables of hosts.
        if host in hostvars and services_on(host, hostvars[host].get(DECLARED) or (), groups, group)
    ]


def hosts_with_key(groups: Mapping[str, Sequence[str]], hostvars: Mapping[str, Variables], key: str) -> list[str]:
    """Each host with a service whose token that key signs."""
    group = group_of(any_variables(groups, hostvars))
    return [
        host
        for host in service_hosts(groups, hostvars)
        if any(each["key"] == key for each in services_on(host, hostvars[host].get(DECLARED) or (), groups, group))
    ]


def token_hosts(groups: Mapping[str, Sequence[str]], hostvars: Mapping[str, Variables]) -> list[str]:
    """The hosts of a play that distributes tokens: controllers, and each host with a service; none without services."""
    local = left_with_localhost(hostvars)
    if FAILURE in local:
        # The cluster was put back; there is no key to sign with.
        return []
    using = service_hosts(groups, hostvars)
    if not using:
        return []
    if PLAN not in local:
        controllers = hosts_by_component(groups, any_variables(groups, hostvars))["slurmctld"]
        return list(dict.fromkeys(controllers + using))
    # With a plan the primary controller is known. Without a primary only nodes change.
    primary = local[PLAN].get("primary")
    return list(dict.fromkeys([primary, *using])) if primary else []
