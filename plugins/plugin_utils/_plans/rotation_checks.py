# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks of a cluster and of a request that both kinds of rotation need. Private to this collection."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._timers.token_refresh import LONGEST_ROTATION
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._cluster.cluster import Cluster
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._cluster.conf_files import ConfFiles
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._cluster.daemons import RUNNING
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._inventory.hostlist import grouped
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._plans.rotation_settings import IsDead, RotationSettings

ROLL_OUT_FIRST = "Run the playbook hpc.slurm_jwt.rollout first, which repairs that; then rotate."


def no_controller() -> list[str]:
    return ["There is no controller in this play, so there is no key to rotate. Leave --limit out."]


def daemons_of(cluster: Cluster) -> list[tuple[str, str, Mapping[str, Any]]]:
    """Host, component and state of every daemon that checks tokens."""
    return [
        (host, component, cluster.observations[host]["daemons"][component])
        for hosts, component in ((cluster.controllers, "slurmctld"), (cluster.slurmdbd_hosts, "slurmdbd"))
        for host in hosts
        if component in cluster.observations[host]["daemons"]
    ]


def daemons_down(cluster: Cluster) -> list[str]:
    return grouped(
        (host, f"{component} is {daemon['active'] or 'not there'}")
        for host, component, daemon in daemons_of(cluster)
        if daemon["active"] not in RUNNING
    )


def drift(cluster: Cluster, files: ConfFiles) -> list[str]:
    """The files that a rollout would change."""
    slurm_conf = [host for host in cluster.key_hosts if files.slurm_conf_differs(host)]
    slurmdbd_conf = [host for host in cluster.slurmdbd_hosts if files.slurmdbd_conf_differs(host)]
    return grouped(
        [
            *((host, "slurm.conf is not as declared") for host in slurm_conf),
            *((host, "slurmdbd.conf is not as declared") for host in slurmdbd_conf),
        ]
    )


def missing_packages(cluster: Cluster) -> list[str]:
    return grouped((host, "packages are missing") for host in cluster.key_hosts if cluster.packages(host))


def slurmrestd_dies(cluster: Cluster) -> list[str]:
    """The hosts whose slurmrestd ends when slurmdbd restarts."""
    return [
        host
        for host in cluster.slurmrestd_hosts
        if not cluster.observations[host]["capabilities"].get("slurmrestd_survives_slurmdbd_restart", True)
    ]


def due_reason(key: Mapping[str, Any], settings: RotationSettings) -> str | None:
    """Why a key has to be rotated; None if it has not."""
    if settings.now:
        return "now"
    if settings.serial and key.get("serial") != settings.serial:
        return "serial"
    if settings.max_age is not None and (key.get("age") or 0) >= settings.max_age:
        return "max_age"
    return None


def other_run(staged: Mapping[str, Any] | None, settings: RotationSettings, is_dead: IsDead) -> list[str]:
    """Another run that is alive, or may be. The rotation of a run that has died is continued."""
    run = staged.get("run") if staged else None
    if not staged or not run or run == settings.run or settings.take_over:
        return []
    dead = is_dead(run)
    if dead or (dead is None and staged["run_age"] >= LONGEST_ROTATION):
        return []
    who = f"{staged['by'] or 'Somebody'} has been rotating the key since {staged['created']}, as the run {run}"
    if dead is None:
        return [
            f"{who}. Whether that run is alive cannot be told from here. If it has died, continue it with --extra-vars "
            f"slurm_jwt_rotation_take_over=true, or run this again in {LONGEST_ROTATION - staged['run_age']} s."
        ]
    return [f"{who}, and is at work. Wait until that is done, and run this again."]


def nothing_requested(settings: RotationSettings) -> list[str]:
    """The site must declare which key it wants."""
    if settings.serial or settings.max_age is not None or settings.now:
        return []
    return [
        "Nothing says which key the site wants. Declare slurm_jwt_key_serial (any label; a new one rotates once) or "
        "slurm_jwt_key_max_age (such as 90d), or rotate at once with --extra-vars slurm_jwt_rotate_now=true."
    ]


def other_clusters(cluster: Cluster, settings: RotationSettings) -> list[str]:
    """Another cluster uses the key of the same slurmdbd."""
    if settings.other_clusters or cluster.primary is None or not cluster.slurmdbd_hosts:
        return []
    observed = cluster.observations[cluster.primary]
    found = observed.get("clusters") or {"running": [], "error": "it was not asked"}
    if found["error"]:
        return [
            f"{cluster.primary}: sacctmgr does not say which clusters slurmdbd serves: {found['error']}. A rotation "
            "may concern other clusters. Have 'sacctmgr list cluster' work there, then run this again."
        ]
    own = str((observed.get("conf") or {}).get("cluster_name") or "").lower()
    others = [name for name in found["running"] if name != own]
    if not others:
        return []
    return [
        f"slurmdbd serves {' and '.join(others)} as well, and has one key for all. Controllers of that cluster "
        "would go on with the old key, and slurmdbd would refuse their users' tokens. If no token is used there, or "
        "you bring the new key there yourself right after this, say so with slurm_jwt_rotation_other_clusters=true."
    ]
