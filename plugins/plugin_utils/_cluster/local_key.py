# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The local signing key, an RSA key on the primary controller, as far as this run knows it. Private to this collection.

All key hosts trust its public key, and that of the next key as soon as there is one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._cluster.cluster import controllers_only
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._cluster.trusted_keys import LocalKey
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._inventory.host_variables import any_variables
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._inventory.inventory_hosts import hosts_by_component

Variables = Mapping[str, Any]

OBSERVATION = "slurm_jwt_local_key"

# Results of tasks about it, the last one first.
_RESULTS = (
    "slurm_jwt_local_key_ended",
    "slurm_jwt_local_key_active",
    "slurm_jwt_local_key_staged",
    "slurm_jwt_local_key_made",
    OBSERVATION,
)


def primary(hostvars: Mapping[str, Variables], groups: Mapping[str, Sequence[str]]) -> str | None:
    """The first controller of slurm.conf, of those that this run has inspected."""
    controllers = hosts_by_component(groups, any_variables(groups, hostvars))["slurmctld"]
    results = {host: hostvars[host].get("slurm_jwt_observation") for host in controllers if host in hostvars}
    return controllers_only({host: observed for host, observed in results.items() if observed}).primary


def public_keys(variables: Variables) -> list[dict[str, str]]:
    """The public keys, as JSON Web Keys, of the key that signs and of the next one."""
    results = [variables.get(name) for name in _RESULTS]
    newest = next((each for each in results if isinstance(each, Mapping) and "public_jwk" in each), {})
    keys = [newest.get(name) for name in ("public_jwk", "next_public_jwk")]
    return [key for number, key in enumerate(keys) if key and key not in keys[:number]]


def sources(
    hostvars: Mapping[str, Variables], groups: Mapping[str, Sequence[str]], declared: Sequence[Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """All sources of trusted keys: those that the site declares, and the local key."""
    host = primary(hostvars, groups)
    local_keys = public_keys(hostvars[host]) if host else []
    return [*map(dict, declared), *({"data": key} for key in local_keys)]


def observed_key(
    hostvars: Mapping[str, Variables], groups: Mapping[str, Sequence[str]], path: str, serial: str = ""
) -> LocalKey:
    """What a plan needs to know about the key."""
    if not path:
        return LocalKey()
    host = primary(hostvars, groups)
    result = (hostvars[host].get(OBSERVATION) or {}) if host else {}
    if result.get("msg") and "public_jwk" not in result:
        return LocalKey(path, known=False, refusal=f"{host}: {result['msg']}")
    needs_serial = bool(serial) and not result.get("serial")
    known = bool(result.get("public_jwk"))
    return LocalKey(path, known, changes=not known or needs_serial or bool(result.get("differs")))
