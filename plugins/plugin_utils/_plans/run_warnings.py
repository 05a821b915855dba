# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run says and goes on. Private to this collection."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._cluster import shared_files, site_conf, trusted_keys
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._cluster.current_state import Cluster
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._cluster.inspections import told_of

# Seconds by which two clocks may differ before short-lived tokens are in danger.
CLOCK_SKEW = 30


def warnings(cluster: Cluster, components: Mapping[str, Sequence[str]], in_play: Sequence[str]) -> list[str]:
    """What a person should know, and what stops nothing."""
    notes = [
        told_of(host, problem)
        for host, look in cluster.looks.items()
        for problem in look["problems"]
        if problem["severity"] == "warning" and problem["code"] not in MENDED
    ]
    absent = [host for host in components["node"] if host not in in_play and host not in cluster.servers]
    if absent:
        names = ", ".join(absent[:10]) + (", ..." if absent[10:] else "")
        notes.append(
            f"--limit leaves out {len(absent)} node(s): {names}. Until a rollout reaches them slurmctld logs that "
            "their slurm.conf differs; nothing else comes of it."
        )
    if cluster.primary is None:
        notes.append("--limit leaves out every controller: only nodes are brought up to date, and nothing is proven.")
    clocks = {host: look["now"] for host, look in cluster.looks.items() if host in cluster.key_hosts}
    if clocks and max(clocks.values()) - min(clocks.values()) > CLOCK_SKEW:
        early, late = min(clocks, key=lambda host: clocks[host]), max(clocks, key=lambda host: clocks[host])
        notes.append(
            f"The clocks of {early} and {late} differ by {int(clocks[late] - clocks[early])} s. Slurm grants no "
            "leeway: tokens expire that much sooner on one of them. Mend the time service."
        )
    due = cluster.lines_missing(cluster.key_hosts) if not cluster.desired.verifying else []
    notes += site_conf.notes(cluster.lines_missing(cluster.keyless), due)
    if cluster.primary is None:
        notes += shared_files.notes(cluster.looks, list(cluster.waiting))
    if not cluster.desired.removing:
        notes += trusted_keys.warnings(cluster.desired.trust, cluster.looks, cluster.key_hosts)
    aside = cluster.keys_aside()
    notes += [
        f"{host}: {cluster.key(host)['path']} stays where it is, since it is not sure that it is a key: no "
        "configuration file names it, or it is a link or a folder. Move it away yourself if nothing else needs it."
        for host in cluster.key_hosts
        if cluster.desired.removing and cluster.key(host)["exists"] and host not in aside
    ]
    source = cluster.key_source
    serial = cluster.key(source).get("serial") if source else None
    if cluster.desired.key_serial and serial and serial != cluster.desired.key_serial:
        notes.append(
            f"The key in force has the serial {serial}, and slurm_jwt_key_serial is {cluster.desired.key_serial}. "
            "A rollout replaces no key."
        )
    return notes


# Warnings of slurm_jwt_info that the rollout itself deals with.
MENDED = (
    ("plugin_missing", "state_dir_owner", "state_dir_writable", "key_missing", "key_owner")
    + ("jwks_missing", "jwks_writable", "jwks_unreadable")
)
