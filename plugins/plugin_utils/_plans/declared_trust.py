# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which tokens the site wants Slurm to accept, from its variables. Private to this collection."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._cluster import local_key
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._cluster.trusted_keys import Trust
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._observations.info import complete
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._services import declared_services

Variables = Mapping[str, Any]


def trust(
    hostvars: Mapping[str, Variables],
    groups: Mapping[str, Sequence[str]],
    jwks_sources: Sequence[Any] | None,
    hs256: bool | None,
    rs256_key_path: str,
    signing: str,
    serial: str = "",
) -> Trust:
    """A key set is declared by its sources, or by the path of the local RSA key."""
    jwks = None if jwks_sources is None and not rs256_key_path else bool(jwks_sources or rs256_key_path)
    services = declared_services.declared(hostvars)
    return Trust(
        jwks,
        hs256,
        local_key.observed_key(hostvars, groups, rs256_key_path, serial),
        signing,
        services=bool(services),
        renewed=any(service.get("renew") for service in services),
    )


def observations(hostvars: Mapping[str, Variables], hosts: Sequence[str]) -> dict[str, dict[str, Any]]:
    """The observation of each host, including that of the sources of keys."""
    return {
        host: {
            **complete(hostvars[host].get("slurm_jwt_observation") or {}),
            "trust": hostvars[host].get("slurm_jwt_jwks_observation"),
        }
        for host in hosts
    }
