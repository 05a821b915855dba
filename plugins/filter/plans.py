# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filters that decide what a run does. NAME.yml beside this file documents the filter NAME."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ansible.module_utils.parsing.convert_bool import boolean

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._time.durations import DurationError, duration
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils import (
    _cluster,
    _declared_trust,
    _desired,
    _local_key,
    _plan,
    _rotation,
    _rsa_rotation,
    _run,
    _services,
)
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._declarations import DeclarationError
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._unsafe import filters


def rollout_plan(
    hostvars: Mapping[str, Any],
    groups: Mapping[str, Sequence[str]],
    hosts: Sequence[str],
    jwks_sources: Sequence[Any] | None = None,
    hs256: bool | None = None,
    rs256_key_path: str = "",
    signing: str = "",
    **desired: Any,
) -> dict[str, Any]:
    """The plan of a rollout; see plugin_utils/_plan.py."""
    _cluster.check_declarations(hostvars, hosts)
    components = _cluster.hosts_by_component(groups, _cluster.any_variables(groups, hostvars))
    looks = _declared_trust.looks(hostvars, hosts)
    serial = desired.get("key_serial", "")
    trust = _declared_trust.trust(hostvars, groups, jwks_sources, hs256, rs256_key_path, signing, serial)
    # Left out, it follows slurm.conf.
    declared = [hostvars[host].get("slurmrestd_slurmdb", True) for host in components["slurmrestd"] if host in hostvars]
    serves = any(boolean(value, strict=False) for value in declared)
    listeners = _cluster.default_listeners(groups, hostvars)
    wanted = _desired.Desired(trust=trust, serves_slurmdb=serves, default_listeners=listeners, **desired)
    return _plan.plan(looks, components, hosts, wanted)


def rotation_plan(
    hostvars: Mapping[str, Any],
    groups: Mapping[str, Sequence[str]],
    hosts: Sequence[str],
    max_age: str = "",
    jwks_sources: Sequence[Any] | None = None,
    hs256: bool | None = None,
    rs256_key_path: str = "",
    signing: str = "",
    **settings: Any,
) -> dict[str, Any]:
    """The plan of a rotation; see plugin_utils/_rotation.py and, of an RSA key, _rsa_rotation.py."""
    _cluster.check_declarations(hostvars, hosts)
    components = {**_cluster.hosts_by_component(groups, _cluster.any_variables(groups, hostvars)), "node": []}
    looks = _declared_trust.looks(hostvars, hosts)
    try:
        seconds = duration(str(max_age)) if max_age else None
    except DurationError as error:
        raise DeclarationError(f"slurm_jwt_key_max_age: {error}") from error
    using = _services.service_hosts(groups, hostvars)
    wanted = _rotation.RotationSettings(max_age=seconds, run=_run.this_run(), token_hosts=using, **settings)
    trust = _declared_trust.trust(hostvars, groups, jwks_sources, hs256, rs256_key_path, signing)
    if not trust.signs_rs256:
        plan = _rotation.plan(looks, components, hosts, wanted, _run.is_dead)
    else:
        primary = _local_key.primary(hostvars, groups)
        key = (hostvars[primary].get(_local_key.LOOK) or {}) if primary else {}
        plan = _rsa_rotation.plan(looks, components, hosts, wanted, trust, key, _run.is_dead)
    return {**plan, "by": _run.by_whom()}


class FilterModule:
    """Filters that decide what a run does."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return filters(
            rollout_plan=rollout_plan,
            rotation_plan=rotation_plan,
        )
