# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The service tokens that a site declares, and what one task hands to the next about them. Private to this collection.

A host of services has no key. What its files hold goes to the controller, which judges it with the key and makes anew
what has to be; what is to be in the files goes back.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._cluster import desired_state
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._cluster.cluster import Cluster
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._cluster.keys import Keys
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._inventory.declarations import DeclarationError
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._inventory.inventory_hosts import (
    COMPONENTS,
    FAILURE,
    PLAN,
    any_variables,
    hosts_by_component,
    left_with_localhost,
)

Service = Mapping[str, Any]
Variables = Mapping[str, Any]

GROUP = ("slurm_jwt_group_tokens", "slurm_token_hosts")
DECLARED = "slurm_jwt_tokens_services"
OWN_KEY, SIGNING = "slurm_jwt_rs256_key_path", "slurm_jwt_signing_algorithm"
MINE, LOOK = "slurm_jwt_tokens_here", "slurm_jwt_tokens_observation"

# What the module is told of a service: as much of it as concerns the token, and as much as concerns the file.
TOKEN_OPTIONS = ("user", "lifespan", "min_remaining", "claims", "allow_privileged", "allow_endless")
FILE_OPTIONS = ("dest", "format", "owner", "group", "mode")
DEFAULTS = {"lifespan": "1d", "format": "raw"}


class ServicesError(DeclarationError):
    """The declaration of services is invalid."""


def group_of(variables: Variables) -> str:
    """The name of the inventory's group of hosts that use tokens."""
    option, name = GROUP
    return str(variables.get(option) or name)


def hosts_of(service: Service, groups: Mapping[str, Sequence[str]], group: str) -> list[str]:
    """The hosts of one service: those it names, itself or by their groups, else those of the inventory's group."""
    if service.get("hosts") is None:
        return list(groups.get(group, ()))
    found: list[str] = []
    for name in service["hosts"]:
        if name in groups:
            found += groups[name]
        elif name in groups.get("all", ()):
            found.append(name)
        else:
            raise ServicesError(
                f"{DECLARED}: the service {service.get('name')} is to be on {name}, which is neither a host nor a "
                "group of the inventory. Correct the name, or add the host."
            )
    return list(dict.fromkeys(found))


def services_on(
    host: str, services: Iterable[Service], groups: Mapping[str, Sequence[str]], group: str
) -> list[dict[str, Any]]:
    """The services of one host, with the defaults filled in."""
    mine: list[dict[str, Any]] = []
    for service in services:
        if host not in hosts_of(service, groups, group):
            continue
        if service["name"] in [each["name"] for each in mine]:
            raise ServicesError(
                f"{DECLARED}: {host} has two services called {service['name']}. Give each a name of its own."
            )
        mine.append({**DEFAULTS, **{name: value for name, value in service.items() if value is not None}})
    return mine


def declared(hostvars: Mapping[str, Variables]) -> list[Service]:
    """Every service that any host declares; one that is declared for all hosts is there for each of them."""
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


def token_hosts(groups: Mapping[str, Sequence[str]], hostvars: Mapping[str, Variables]) -> list[str]:
    """The hosts of a play that brings tokens: the controllers, and each host with a service. None without services."""
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
    # A play that looked at every host knows the primary controller. Without one only nodes were to be brought.
    primary = local[PLAN].get("primary")
    return list(dict.fromkeys([primary, *using])) if primary else []


def signer(
    hostvars: Mapping[str, Variables], groups: Mapping[str, Sequence[str]], hosts: Sequence[str]
) -> dict[str, Any]:
    """The controller that signs, its key, and with which algorithm; nulls if it is not among the hosts of the play."""
    local = left_with_localhost(hostvars)
    nobody = {"host": None, "key_path": None, "algorithm": None}
    if PLAN in local:
        primary = local[PLAN].get("primary")
        known = primary is not None and primary in hosts
        if not known:
            return nobody
        return {"host": primary, "key_path": local[PLAN]["signing_key"], "algorithm": local[PLAN]["algorithm"]}
    controllers = hosts_by_component(groups, any_variables(groups, hostvars))["slurmctld"]
    found = {host: hostvars[host].get("slurm_jwt_tokens_controller") for host in controllers if host in hosts}
    # Who is first is written in slurm.conf.
    looks = {host: look for host, look in found.items() if look and (look.get("conf") or {}).get("exists")}
    components: dict[str, Sequence[str]] = {component: [] for component in COMPONENTS}
    cluster = Cluster(looks, {**components, "slurmctld": list(looks)}, desired_state.Desired())
    if cluster.primary is None:
        return nobody
    # A cluster that has a key set and no key for HS256 has tokens signed by the site's own RSA key.
    conf, variables = looks[cluster.primary]["conf"], hostvars[cluster.primary]
    only_rs256 = bool(conf.get("jwks_path")) and not conf.get("key_path")
    own = variables.get(OWN_KEY) if only_rs256 or variables.get(SIGNING) == "RS256" else None
    # Slurm takes a PEM for HS256, too, so the file does not say what it is for.
    return {"host": cluster.primary, "key_path": own or Keys(cluster).path, "algorithm": "RS256" if own else "HS256"}


def entries(services: Iterable[Service], tokens: Mapping[str, str] | None = None) -> list[dict[str, Any]]:
    """What slurm_jwt_token is told of the services of a host; with their tokens, by name, if these are known."""
    found = []
    for service in services:
        entry = {name: service[name] for name in ("name", *TOKEN_OPTIONS, *FILE_OPTIONS) if name in service}
        if tokens is not None:
            entry["token"] = tokens[service["name"]]
        found.append(entry)
    return found


def orders(hostvars: Mapping[str, Variables], hosts: Iterable[str]) -> list[dict[str, Any]]:
    """What the controller is told: each token of each host, with what its file holds."""
    found = []
    for host in hosts:
        for service, seen in _seen(hostvars[host]):
            entry = {name: service[name] for name in TOKEN_OPTIONS if name in service}
            found.append(dict(entry, name=order_name(service["name"], host), current=seen["token"] or ""))
    return found


def order_name(service: str, host: str) -> str:
    """What the controller calls a token, and people read if it is refused."""
    return f"{service} on {host}"


def delivery(variables: Variables, host: str, minted: Iterable[Mapping[str, Any]] | None) -> list[dict[str, Any]]:
    """What is to be installed on a host: all its tokens if any was made anew or any file drifted, else nothing."""
    seen = _seen(variables)
    if minted is None or not seen:
        return []
    answers = {answer["name"]: answer for answer in minted}
    tokens, due = {}, False
    for service, found in seen:
        answer = answers.get(order_name(service["name"], host))
        if answer is None:
            return []
        renewed = answer["reason"] is not None
        due = due or renewed or bool(found["changed"])
        # In check mode nobody knows what it would be.
        tokens[service["name"]] = (answer["token"] if renewed else found["token"]) or ""
    return entries((service for service, _found in seen), tokens) if due else []


def _seen(variables: Variables) -> list[tuple[Service, Mapping[str, Any]]]:
    """The services of a host, each with what was found in its file; without an answer there is nothing."""
    look = variables.get(LOOK) or {}
    found = {entry["name"]: entry for entry in look.get("tokens") or ()}
    # A host that names other services than it was asked for has none of them.
    return [(service, found[service["name"]]) for service in variables.get(MINE) or () if service["name"] in found]


def units(services: Iterable[Service], result: Mapping[str, Any], everybody: bool = False) -> dict[str, list[str]]:
    """The systemd units to restart and to reload, as their services have new tokens; owner and mode are no news."""
    new = {
        entry["name"]
        for entry in result.get("tokens") or ()
        if entry["changed"] and entry["reason"] not in ("attributes", "same", "leftover")
    }
    told = [service for service in services if everybody or service["name"] in new]
    restarts = list(dict.fromkeys(unit for service in told for unit in service.get("restarts") or ()))
    reloads = list(dict.fromkeys(unit for service in told for unit in service.get("reloads") or ()))
    return {"restarts": restarts, "reloads": [unit for unit in reloads if unit not in restarts]}
