# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filters that decide what a run does. NAME.yml beside this file documents the filter NAME."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ansible.module_utils.parsing.convert_bool import boolean

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._time.durations import DurationError, duration
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._cluster import (
    cluster,
    declared_conf,
    desired_state,
    local_key,
)
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._inventory import host_variables, inventory_hosts, listeners
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._inventory.declarations import DeclarationError
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._plans import (
    ansible_run,
    declared_trust,
    due_proxy_changes,
    hs256_rotation_plan,
    openmetrics_rotation,
    rollout,
    rsa_rotation_plan,
)
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._plans.plan_types import RefusedPlan, members_of
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._plans.rotation_settings import RotationSettings
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._services import declared_services
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._unsafe import filters


def rollout_plan(
    hostvars: Mapping[str, Any],
    groups: Mapping[str, Sequence[str]],
    hosts: Sequence[str],
    jwks_sources: Sequence[Any] | None = None,
    hs256: bool | None = None,
    rs256_key_path: str = "",
    signing: str = "",
    openmetrics_users: Any = None,
    **desired: Any,
) -> dict[str, Any]:
    """The plan of a rollout; see plugin_utils/_plans/rollout.py."""
    host_variables.check_declarations(hostvars, hosts)
    components = inventory_hosts.hosts_by_component(groups, host_variables.any_variables(groups, hostvars))
    observations = declared_trust.observations(hostvars, hosts)
    serial = desired.get("key_serial", "")
    trust = declared_trust.trust(hostvars, groups, jwks_sources, hs256, rs256_key_path, signing, serial)
    # If the site leaves out slurmrestd_slurmdb, slurm.conf decides.
    declared = [hostvars[host].get("slurmrestd_slurmdb", True) for host in components["slurmrestd"] if host in hostvars]
    serves = any(boolean(value, strict=False) for value in declared)
    everything = desired_state.Desired(
        trust=trust,
        serves_slurmdb=serves,
        openmetrics_users=declared_conf.openmetrics_users(openmetrics_users),
        default_listeners=listeners.default_listeners(groups, hostvars),
        **desired,
    )
    return members_of(rollout.plan(observations, components, hosts, everything))


def rotation_plan(
    hostvars: Mapping[str, Any],
    groups: Mapping[str, Sequence[str]],
    hosts: Sequence[str],
    max_age: str = "",
    jwks_sources: Sequence[Any] | None = None,
    hs256: bool | None = None,
    rs256_key_path: str = "",
    signing: str = "",
    openmetrics_users: Any = None,
    **settings: Any,
) -> dict[str, Any]:
    """The plan of a rotation; see plugin_utils/_plans/hs256_rotation_plan.py and rsa_rotation_plan.py."""
    host_variables.check_declarations(hostvars, hosts)
    variables = host_variables.any_variables(groups, hostvars)
    components = {**inventory_hosts.hosts_by_component(groups, variables), "node": []}
    observations = declared_trust.observations(hostvars, hosts)
    try:
        seconds = duration(str(max_age)) if max_age else None
    except DurationError as error:
        raise DeclarationError(f"slurm_jwt_key_max_age: {error}") from error
    request = RotationSettings(
        max_age=seconds,
        run=ansible_run.this_run(),
        by=ansible_run.by_whom(),
        token_hosts=declared_services.service_hosts(groups, hostvars),
        **settings,
    )
    trust = declared_trust.trust(hostvars, groups, jwks_sources, hs256, rs256_key_path, signing)
    is_dead = ansible_run.is_dead
    plan: Any
    if not trust.signs_rs256:
        plan = hs256_rotation_plan.plan(observations, components, hosts, request, is_dead)
    else:
        primary = local_key.primary(hostvars, groups)
        key = (hostvars[primary].get(local_key.OBSERVATION) or {}) if primary else {}
        plan = rsa_rotation_plan.plan(observations, components, hosts, request, trust, key, is_dead)
    if plan.refusals:
        return members_of(plan)
    users = declared_conf.openmetrics_users(openmetrics_users)
    taking_part = {host: observations[host] for host in hosts if host not in plan.left_out}
    metrics = cluster.Cluster(taking_part, components, desired_state.Desired(openmetrics_users=users))
    reasons = openmetrics_rotation.OpenMetricsRotation(metrics, request).refusals(is_dead)
    if reasons:
        return members_of(RefusedPlan(reasons, plan.left_out))
    services = declared_services.hosts_with_key(groups, hostvars, declared_services.OPENMETRICS)
    of_metrics = openmetrics_rotation.plan(metrics, request, services, plan.left_out)
    unseen = {host: list(actions) for host, actions in plan.unseen_by_check.items()}
    for host in of_metrics.controllers:
        unseen.setdefault(host, []).append("key for metrics rotated")
    return {**members_of(plan), "openmetrics": members_of(of_metrics), "unseen_by_check": unseen}


class FilterModule:
    """Filters that decide what a run does."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return filters(
            declared_conf=declared_conf.declared,
            due_proxy_changes=due_proxy_changes.due_proxy_changes,
            rollout_plan=rollout_plan,
            rotation_plan=rotation_plan,
        )
