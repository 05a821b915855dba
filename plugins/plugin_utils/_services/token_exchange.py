# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tokens between the hosts of services and the controller that signs. Private to this collection.

A host of services has no key. The tokens in its files go to the controller, which checks them with the key and signs
new ones where needed. The tokens for the files go back.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._services.declared_services import (
    DECLARED,
    OPENMETRICS,
    Service,
    group_of,
    services_on,
)

Variables = Mapping[str, Any]

SERVICES, OBSERVATION = "slurm_jwt_tokens_here", "slurm_jwt_tokens_observation"

# Options of slurm_jwt_token about the token, and about the file.
TOKEN_OPTIONS = ("user", "lifespan", "min_remaining", "claims", "allow_privileged", "allow_endless")
FILE_OPTIONS = ("dest", "format", "owner", "group", "mode")


def entries(services: Iterable[Service], tokens: Mapping[str, str] | None = None) -> list[dict[str, Any]]:
    """Services in the form of slurm_jwt_token; with their tokens, by name, if these are known."""
    options = ("name", *TOKEN_OPTIONS, *FILE_OPTIONS)
    return [
        {
            **{name: service[name] for name in options if name in service},
            **({"token": tokens[service["name"]]} if tokens is not None else {}),
        }
        for service in services
    ]


def requests(
    hostvars: Mapping[str, Variables], hosts: Iterable[str], openmetrics_key: str | None = None
) -> list[dict[str, Any]]:
    """For the controller: each token of each host, with the current one in its file.

    ``openmetrics_key``: the path of the key for metrics.
    """
    return [
        {
            **{name: service[name] for name in TOKEN_OPTIONS if name in service},
            "name": request_name(service["name"], host),
            "current": observed["token"] or "",
            **({"key_path": openmetrics_key} if service.get("key") == OPENMETRICS else {}),
        }
        for host in hosts
        for service, observed in _observed(hostvars[host])
    ]


def new_requests(
    hostvars: Mapping[str, Variables], hosts: Iterable[str], groups: Mapping[str, Sequence[str]]
) -> list[dict[str, Any]]:
    """For the controller: a new token for each service of each host. The token in its file does not matter."""
    return [
        {
            **{name: service[name] for name in TOKEN_OPTIONS if name in service},
            "name": request_name(service["name"], host),
            "current": "",
        }
        for host in hosts
        for service in _declared(hostvars[host], host, groups)
    ]


def new_delivery(
    variables: Variables, host: str, groups: Mapping[str, Sequence[str]], minted: Iterable[Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """What a host has to install if each of its tokens is new; nothing if one was not made."""
    made = {answer["name"]: answer["token"] or "" for answer in minted}
    services = _declared(variables, host, groups)
    tokens = {service["name"]: made.get(request_name(service["name"], host), "") for service in services}
    return entries(services, tokens) if all(tokens.values()) else []


def _declared(variables: Variables, host: str, groups: Mapping[str, Sequence[str]]) -> list[dict[str, Any]]:
    """The services of a host without those that use the key for metrics: a rotation leaves these alone."""
    services = services_on(host, variables.get(DECLARED) or (), groups, group_of(variables))
    return [service for service in services if service["key"] != OPENMETRICS]


def request_name(service: str, host: str) -> str:
    """The name of a token on the controller, also in its refusals."""
    return f"{service} on {host}"


def delivery(variables: Variables, host: str, minted: Iterable[Mapping[str, Any]] | None) -> list[dict[str, Any]]:
    """What a host has to install: all its tokens if one is new or a file is not as declared, otherwise nothing."""
    services = _observed(variables)
    if minted is None or not services:
        return []
    answers = {answer["name"]: answer for answer in minted}
    tokens, due = {}, False
    for service, observed in services:
        answer = answers.get(request_name(service["name"], host))
        if answer is None:
            return []
        is_new = answer["reason"] is not None
        due = due or is_new or bool(observed["changed"])
        # In check mode a new token is not known.
        tokens[service["name"]] = (answer["token"] if is_new else observed["token"]) or ""
    return entries((service for service, _observed_token in services), tokens) if due else []


def _observed(variables: Variables) -> list[tuple[Service, Mapping[str, Any]]]:
    """The services of a host, each with the observation of its token; nothing if the host did not answer."""
    result = variables.get(OBSERVATION) or {}
    tokens = {entry["name"]: entry for entry in result.get("tokens") or ()}
    # Services that a host adds to its answer do not count.
    return [
        (service, tokens[service["name"]]) for service in variables.get(SERVICES) or () if service["name"] in tokens
    ]


def units(services: Iterable[Service], result: Mapping[str, Any], everybody: bool = False) -> dict[str, list[str]]:
    """The systemd units to restart and to reload because of new tokens; none if only the ownership changed."""
    new = {
        entry["name"]
        for entry in result.get("tokens") or ()
        if entry["changed"] and entry["reason"] not in ("attributes", "same", "leftover")
    }
    concerned: Sequence[Service] = [service for service in services if everybody or service["name"] in new]
    restarts = list(dict.fromkeys(unit for service in concerned for unit in service.get("restarts") or ()))
    reloads = list(dict.fromkeys(unit for service in concerned for unit in service.get("reloads") or ()))
    return {"restarts": restarts, "reloads": [unit for unit in reloads if unit not in restarts]}
