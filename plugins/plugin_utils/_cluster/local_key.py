# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The site's own RSA key, which lies on the primary controller only, as far as a run knows of it. Private to this
collection.

Its public half is trusted everywhere, and so is that of the next key, from the moment on at which there is one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._cluster import desired_state
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._cluster.cluster import Cluster
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._cluster.trusted_keys import LocalKey
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._inventory.inventory_hosts import (
    COMPONENTS,
    any_variables,
    hosts_by_component,
)

Variables = Mapping[str, Any]

OBSERVATION = "slurm_jwt_local_key"

# What tasks have registered of it, the last one first.
_SEEN = (
    "slurm_jwt_local_key_ended",
    "slurm_jwt_local_key_active",
    "slurm_jwt_local_key_staged",
    "slurm_jwt_local_key_made",
    OBSERVATION,
)


def primary(hostvars: Mapping[str, Variables], groups: Mapping[str, Sequence[str]]) -> str | None:
    """The first controller of slurm.conf, among those that this run has looked at."""
    controllers = hosts_by_component(groups, any_variables(groups, hostvars))["slurmctld"]
    looks = {host: hostvars[host].get("slurm_jwt_observation") for host in controllers if host in hostvars}
    found = {host: look for host, look in looks.items() if look}
    components: dict[str, Sequence[str]] = {component: [] for component in COMPONENTS}
    return Cluster(found, {**components, "slurmctld": list(found)}, desired_state.Desired()).primary


def public_keys(variables: Variables) -> list[dict[str, str]]:
    """The public halves, as JSON Web Keys, of the key that signs and of the next one."""
    results = [variables.get(name) for name in _SEEN]
    newest = next((found for found in results if isinstance(found, Mapping) and "public_jwk" in found), {})
    found = [newest.get(name) for name in ("public_jwk", "next_public_jwk")]
    return [key for number, key in enumerate(found) if key and key not in found[:number]]


def sources(
    hostvars: Mapping[str, Variables], groups: Mapping[str, Sequence[str]], declared: Sequence[Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """All that is to be trusted: what the site declares, and what its own key signs."""
    host = primary(hostvars, groups)
    own = public_keys(hostvars[host]) if host else []
    return [*map(dict, declared), *({"data": key} for key in own)]


def observed_key(
    hostvars: Mapping[str, Variables], groups: Mapping[str, Sequence[str]], path: str, serial: str = ""
) -> LocalKey:
    """What a plan has to know of the key."""
    if not path:
        return LocalKey()
    host = primary(hostvars, groups)
    result = (hostvars[host].get(OBSERVATION) or {}) if host else {}
    if result.get("msg") and "public_jwk" not in result:
        return LocalKey(path, known=False, refusal=f"{host}: {result['msg']}")
    unlabelled = bool(serial) and not result.get("serial")
    known = bool(result.get("public_jwk"))
    return LocalKey(path, known, changes=not known or unlabelled or bool(result.get("differs")))
