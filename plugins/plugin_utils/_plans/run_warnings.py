# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The warnings of a rollout, which do not stop it. Private to this collection."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._cluster import (
    clocks,
    shared_files,
    site_conf,
    trusted_keys,
)
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._cluster.cluster import Cluster
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._cluster.inspections import sentences_of
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._cluster.state import ClusterState
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._inventory.hostlist import grouped

# Seconds by which two clocks may differ before short-lived tokens are in danger.
CLOCK_SKEW = 30

# Warnings of slurm_jwt_info about what a rollout repairs.
REPAIRED = (
    ("plugin_missing", "state_dir_owner", "state_dir_writable", "key_missing", "key_owner")
    + ("jwks_missing", "jwks_writable", "jwks_unreadable")
)


def warnings(state: ClusterState, components: Mapping[str, Sequence[str]], in_play: Sequence[str]) -> list[str]:
    """What an administrator should know."""
    cluster = state.cluster
    trust = []
    if not cluster.desired.removing:
        trust = trusted_keys.warnings(cluster.desired.trust, cluster.observations, cluster.key_hosts)
    return [
        *_problems(cluster),
        *_limit(cluster, components, in_play),
        *_clocks(cluster),
        *_files(state),
        *trust,
        *_not_put_aside(state),
        *_serial(state),
    ]


def _problems(cluster: Cluster) -> list[str]:
    """The warnings of the inspections."""
    return grouped(
        (host, sentences_of(problem))
        for host, observed in cluster.observations.items()
        for problem in observed["problems"]
        if problem["severity"] == "warning" and problem["code"] not in REPAIRED
    )


def _limit(cluster: Cluster, components: Mapping[str, Sequence[str]], in_play: Sequence[str]) -> list[str]:
    notes = []
    absent = [host for host in components["node"] if host not in in_play and host not in cluster.servers]
    if absent:
        names = ", ".join(absent[:10]) + (", ..." if absent[10:] else "")
        notes.append(
            f"--limit leaves out {len(absent)} node(s): {names}. Until a rollout changes them slurmctld logs that "
            "their slurm.conf differs; there is no other effect."
        )
    if cluster.primary is None:
        notes.append("--limit leaves out every controller: only nodes are changed, and nothing is proven.")
    return notes


def _clocks(cluster: Cluster) -> list[str]:
    found = clocks.largest_difference({host: cluster.observations[host] for host in cluster.key_hosts})
    if found is None or found.seconds <= CLOCK_SKEW:
        return []
    return [
        f"The clocks of {found.early} and {found.late} differ by at least {int(found.seconds)} s. Slurm grants no "
        "leeway: tokens expire that much sooner on one of them. Repair the time service."
    ]


def _files(state: ClusterState) -> list[str]:
    cluster = state.cluster
    due = state.conf_files.missing_lines(cluster.key_hosts) if not cluster.desired.verifying else []
    notes = site_conf.notes(state.conf_files.missing_lines(cluster.keyless_hosts), due)
    waiting = list(state.conf_files.waiting) if cluster.primary is None else []
    return notes + shared_files.notes(cluster.observations, waiting)


def _not_put_aside(state: ClusterState) -> list[str]:
    """Files at the path of the key that a removal leaves in place."""
    aside = state.keys.put_aside()
    return [
        f"{host}: {state.keys.current(host)['path']} stays where it is, because it may not be a key: no configuration "
        "file names it, or it is a link or a folder. Move it away yourself if nothing else needs it."
        for host in state.cluster.key_hosts
        if state.cluster.desired.removing and state.keys.current(host)["exists"] and host not in aside
    ]


def _serial(state: ClusterState) -> list[str]:
    desired, source = state.cluster.desired.key_serial, state.keys.source
    serial = state.keys.current(source).get("serial") if source else None
    if not desired or not serial or serial == desired:
        return []
    return [
        f"The current key has the serial {serial}, and slurm_jwt_key_serial is {desired}. A rollout replaces no key."
    ]
