# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Decides what a rotation of the key for slurmctld's metrics does. Private to this collection.

It follows the rotation of the cluster's key, and is due for the same reasons.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._cluster import clocks
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._cluster.cluster import Cluster
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._cluster.daemons import RESTART, primary_load_method
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._cluster.openmetrics import OpenMetricsKey
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._plans.rotation_checks import due_reason, other_run
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._plans.rotation_settings import IsDead, RotationSettings

# Seconds until the swap. By then the tasks of all hosts must wait for it.
LEAD = 8.0


@dataclass(frozen=True)
class OpenMetricsRotationPlan:
    """What a rotation of the key for metrics does."""

    hosts: Sequence[str]
    """Controllers, the primary first, and hosts with tokens of this key; none if there is nothing to do."""
    controllers: Sequence[str]
    key_path: Mapping[str, str]
    reason: str | None
    """unfinished, now, serial or max_age."""
    tidy_only: bool
    """Whether only next keys of an earlier rotation are left to remove."""
    serial: str
    run: str
    by: str
    run_to_end: Mapping[str, str]
    """Controller -> the run whose next key is removed."""
    take_over: str | None
    old: str | None
    """Fingerprint of the key to go back to after a failure."""
    way: str
    """in_place or rename."""
    lead: float
    clock_lag: float
    users: Sequence[str]
    standbys: Mapping[str, str]
    """Controller -> "restart"."""
    primary_loads: Mapping[str, str]
    """The primary controller -> "reconfigure" or "restart", if slurmctld does not see a key that changes in place."""


class OpenMetricsRotation:
    """The rotation of one cluster's key for metrics."""

    def __init__(self, cluster: Cluster, settings: RotationSettings) -> None:
        self.cluster = cluster
        self.settings = settings
        self.key = OpenMetricsKey(cluster)

    @property
    def staged_on(self) -> list[str]:
        return [host for host in self.cluster.controllers if self.key.current(host).get("next")]

    @property
    def staged(self) -> Mapping[str, str] | None:
        """The next key of the primary: the first host to get it and the last to lose it."""
        primary = self.cluster.primary
        return self.key.current(primary).get("next") if primary else None

    @property
    def tidy_only(self) -> bool:
        return bool(self.staged_on) and self.staged is None

    @property
    def reason(self) -> str | None:
        primary = self.cluster.primary
        if primary is None or not self.key.on or not self.key.current(primary)["exists"]:
            return None
        return "unfinished" if self.staged_on else due_reason(self.key.current(primary), self.settings)

    @property
    def old(self) -> str | None:
        next_key = self.staged["fingerprint"] if self.staged else None
        found = [self.key.current(host)["fingerprint"] for host in self.cluster.controllers]
        waiting = [fingerprint for fingerprint in found if fingerprint != next_key]
        if waiting:
            return str(waiting[0])
        previous = self.key.current(str(self.cluster.primary)).get("previous")
        return str(previous["fingerprint"]) if previous else None

    @property
    def way(self) -> str:
        """in_place only if the running slurmctld has a shared mapping of the key file."""
        primary = str(self.cluster.primary)
        observed = self.cluster.observations[primary].get("openmetrics") or {}
        shared = observed.get("key_loaded") == "current" and (self.key.current(primary).get("size") or 0) == 32
        return "in_place" if shared and self.settings.method in ("auto", "in_place") else "rename"

    def refusals(self, is_dead: IsDead) -> list[str]:
        staged = self.staged or next((self.key.current(host)["next"] for host in self.staged_on), None)
        reasons = other_run(staged, self.settings, is_dead)
        if reasons or self.reason is None:
            return reasons
        next_key = self.staged["fingerprint"] if self.staged else None
        found = {host: self.key.current(host)["fingerprint"] for host in self.cluster.controllers}
        if len(set(found.values()) - {next_key}) <= 1:
            return []
        keys = ", ".join(f"{host} has {fingerprint or 'none'}" for host, fingerprint in sorted(found.items()))
        return [
            f"The controllers have different keys for metrics: {keys}. No rotation leaves them so. Run the playbook "
            "hpc.slurm_jwt.rollout, which says what to do; then rotate."
        ]


def plan(
    cluster: Cluster, settings: RotationSettings, services: Sequence[str], left_out: Mapping[str, str]
) -> OpenMetricsRotationPlan:
    """``services``: the hosts that have tokens of this key."""
    rotation = OpenMetricsRotation(cluster, settings)
    reason, staged = rotation.reason, rotation.staged or {}
    controllers = cluster.controllers if reason else []
    hosts = [*controllers, *(host for host in services if host not in controllers and host not in left_out)]
    primary = cluster.primary
    run_to_end = {}
    for host in controllers:
        left = rotation.key.current(host).get("next") or {}
        run_to_end[host] = str(left.get("run") or settings.run) if rotation.tidy_only else settings.run
    return OpenMetricsRotationPlan(
        hosts=hosts if reason else [],
        controllers=controllers,
        key_path={host: rotation.key.path_on(host) for host in cluster.controllers} if rotation.key.on else {},
        reason=reason,
        tidy_only=rotation.tidy_only,
        serial=staged.get("serial") or "" if rotation.staged else settings.serial,
        run=settings.run,
        by=settings.by,
        run_to_end=run_to_end,
        take_over=staged.get("run"),
        old=rotation.old if reason else None,
        way=rotation.way if reason else "",
        lead=LEAD,
        clock_lag=clocks.surely_ahead(cluster.observations[primary]) if primary else 0,
        users=list(cluster.desired.openmetrics_users or ()),
        standbys=dict.fromkeys(cluster.standby_controllers, RESTART) if reason else {},
        primary_loads={primary: primary_load_method(cluster.observations[primary])} if reason and primary else {},
    )
