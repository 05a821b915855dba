# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The controller that signs tokens of services. Private to this collection."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._cluster.cluster import controllers_only
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._cluster.keys import Keys
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._inventory.host_variables import (
    PLAN,
    any_variables,
    left_with_localhost,
)
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._inventory.inventory_hosts import hosts_by_component

Variables = Mapping[str, Any]

LOCAL_KEY, SIGNING = "slurm_jwt_rs256_key_path", "slurm_jwt_signing_algorithm"


class Signer(NamedTuple):
    """The primary controller and its key; all None if it is not in the play."""

    host: str | None = None
    key_path: str | None = None
    algorithm: str | None = None
    openmetrics_key: str | None = None
    """The path of the key for slurmctld's metrics; None if there is none."""


def signer(hostvars: Mapping[str, Variables], groups: Mapping[str, Sequence[str]], hosts: Sequence[str]) -> Signer:
    """From the plan of this run, otherwise from the inspection of the controllers."""
    local = left_with_localhost(hostvars)
    if PLAN in local:
        primary = local[PLAN].get("primary")
        if primary is None or primary not in hosts:
            return Signer()
        paths = (local[PLAN].get("openmetrics") or {}).get("key_path") or {}
        return Signer(primary, local[PLAN]["signing_key"], local[PLAN]["algorithm"], paths.get(primary))
    controllers = hosts_by_component(groups, any_variables(groups, hostvars))["slurmctld"]
    results = {host: hostvars[host].get("slurm_jwt_tokens_controller") for host in controllers if host in hosts}
    # slurm.conf says which controller is the primary.
    observations = {host: seen for host, seen in results.items() if seen and (seen.get("conf") or {}).get("exists")}
    cluster = controllers_only(observations)
    if cluster.primary is None:
        return Signer()
    # A cluster with a key set and without an HS256 key uses the local RSA key.
    conf, variables = observations[cluster.primary]["conf"], hostvars[cluster.primary]
    only_rs256 = bool(conf.get("jwks_path")) and not conf.get("key_path")
    local_key = variables.get(LOCAL_KEY) if only_rs256 or variables.get(SIGNING) == "RS256" else None
    # Slurm accepts a PEM file as HS256 key, so the file does not show its algorithm.
    metrics = observations[cluster.primary].get("openmetrics") or {}
    return Signer(
        cluster.primary,
        local_key or Keys(cluster).path,
        "RS256" if local_key else "HS256",
        metrics.get("in_force"),
    )
