# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a rollout would change now: the drift of a cluster with JWT. Private to this collection."""

from __future__ import annotations

from collections.abc import Iterable

from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._cluster import site_conf
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._cluster.state import ClusterState
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._inventory.hostlist import grouped


def due_changes(state: ClusterState) -> list[str]:
    """A sentence for each host."""
    cluster, keys, files, daemons, metrics = state
    due: dict[str, list[str]] = {}

    def note(hosts: Iterable[str], what: str) -> None:
        for host in hosts:
            due.setdefault(host, []).append(what)

    note((host for host in cluster.servers if cluster.packages(host)), "packages are missing")
    note(keys.shared.changing(), "the key is missing or differs")
    local_key = [cluster.primary] if cluster.primary and keys.local_key_changes else []
    note(local_key, "the local RSA key is missing or differs")
    note(keys.key_set_targets(), "the key set differs from its sources")
    note(keys.folders_to_make(), "the key's folder is missing")
    note(metrics.shared.changing(), "the key for metrics differs")
    note(metrics.put_aside(), "the key for metrics is there")
    note((host for host in [*cluster.nodes, *cluster.servers] if files.edits_slurm_conf(host)), "slurm.conf differs")
    note((host for host in cluster.slurmdbd_hosts if files.edits_slurmdbd_conf(host)), "slurmdbd.conf differs")
    note(daemons.slurmdbd_restarts(), "slurmdbd must be restarted")
    note(daemons.slurmctld_loads(), "slurmctld must load it")
    return [
        *grouped((host, ", ".join(what)) for host, what in due.items()),
        *(
            f"{text} {site_conf.VARIABLE} is false, so your own tool has to write that."
            for text in site_conf.sentences(files.missing_lines(cluster.key_hosts))
        ),
    ]
