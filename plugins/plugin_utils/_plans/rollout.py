# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a rollout has to do, decided once from a look at every host. Private to this collection.

All that a rollout refuses is refused here: before the first change, with every reason at once. The looks are results
of the module slurm_jwt_info; this file knows nothing of Ansible beyond their shape.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._cluster import (
    missing_packages,
    shared_files,
    trusted_keys,
    unreachable_hosts,
)
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._cluster.current_state import Cluster, due
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._cluster.desired_state import Desired, Look
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._cluster.inspections import key_hosts_of, left_out, refused
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._plans.preflight import refusals
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._plans.run_warnings import warnings


def _cut_off(looks: Mapping[str, Look], desired: Desired) -> dict[str, str]:
    """The hosts where slurmrestd serves clients at addresses that it would lose although nobody has said so."""
    if desired.removing:
        return {}
    found = {}
    for host, default in desired.default_listeners.items():
        daemon = ((looks.get(host) or {}).get("daemons") or {}).get("slurmrestd") or {}
        current = daemon.get("listens") or []
        lost = [each for each in current if each != default]
        if lost:
            kept = [*current, *([default] if default.startswith("unix:") and default not in current else [])]
            found[host] = (
                f"slurmrestd listens at {', '.join(lost)}, and clients there would be cut off: by default it would "
                f"listen at {default} alone. Say where it is to listen in slurmrestd_listen; to keep it: "
                f"slurmrestd_listen: [{', '.join(map(repr, kept))}]."
            )
    return found


def _uninstallable(
    looks: Mapping[str, Look], components: Mapping[str, Sequence[str]], desired: Desired
) -> dict[str, str]:
    """The hosts without a key on which packages are missing that this run cannot install."""
    if desired.removing:
        return {}
    may_install, found = desired.install and desired.chosen("packages"), {}
    for host, look in looks.items():
        packages = (look.get("plugins") or {}).get("packages")
        if host in key_hosts_of(components):
            continue
        reasons = missing_packages.obstacles(look, packages, may_install) if packages else []
        if reasons:
            found[host] = " ".join(reasons)
    return found


def unseen_by_check(cluster: Cluster) -> dict[str, list[str]]:
    """What tasks cannot tell in check mode: they have no key to hand on, and commands are left out."""
    unseen = {host: ["key installed"] for host in cluster.key_targets()}
    if cluster.primary and not cluster.desired.trust.local_key.known:
        if cluster.looks[cluster.primary]["python"].get("cryptography") is None:
            unseen.setdefault(cluster.primary, []).append("RSA key made")
        for host in cluster.jwks_targets():
            unseen.setdefault(host, []).append("key set changed")
    for host, way in cluster.slurmctld_loads().items():
        if way == "reconfigure":
            unseen.setdefault(host, []).append("slurmctld reconfigured")
    return unseen


def plan(
    looks: Mapping[str, Look], components: Mapping[str, Sequence[str]], in_play: Sequence[str], desired: Desired
) -> dict[str, Any]:
    """All that the rollout's tasks ask, in plain lists and dictionaries."""
    everybody = looks = {host: looks[host] for host in in_play}
    without = {
        **left_out(looks, components, desired.removing),
        **_uninstallable(looks, components, desired),
        **_cut_off(looks, desired),
    }
    silent = unreachable_hosts.nodes(looks, components)
    if len(silent) > unreachable_hosts.allowed(desired.nodes_unreachable_max, len(components["node"])):
        silent = []
    looks = {host: look for host, look in looks.items() if host not in without and host not in silent}
    unwritable = Cluster(looks, components, desired).unwritable()
    without.update(unwritable)
    looks = {host: look for host, look in looks.items() if host not in unwritable}
    cluster = Cluster(looks, components, desired)
    no = refusals(cluster, looks, components, in_play)
    if no:
        return refused(no, without, everybody, components)
    slurmdbd, slurmctld = cluster.slurmdbd_restarts(), cluster.slurmctld_loads()
    packages = {host: cluster.packages(host) for host in cluster.servers if cluster.packages(host)}
    nodes = [host for host in cluster.nodes if cluster.conf_changes(host)]
    conf = [host for host in cluster.servers if cluster.conf_changes(host)]
    key_hosts = cluster.key_hosts
    dbd_conf = [host for host in cluster.dbds if cluster.dbd_conf_changes(host)]
    targets, folders, jwks = cluster.key_targets(), cluster.folders_to_make(), cluster.jwks_targets()
    source = [cluster.key_source] if cluster.key_source and cluster.key_source_changes() else []
    own = [cluster.primary] if cluster.primary and cluster.local_key_changes else []
    changing = [*packages, *conf, *dbd_conf, *targets, *own, *jwks, *folders, *source, *slurmdbd, *slurmctld]
    return {
        "refusals": [],
        "warnings": unreachable_hosts.notes(silent) + warnings(cluster, components, in_play),
        "primary": cluster.primary,
        "standbys": cluster.controllers[1:],
        "speaker": cluster.primary or next(iter(cluster.nodes), None) or next(iter(in_play), None),
        "left_out": without,
        # Hosts without a key change first, each for itself: none of them stops the others.
        "outer_hosts": [
            *nodes,
            *(host for host in cluster.servers if host not in key_hosts and (host in conf or host in packages)),
        ],
        # The primary is always proven.
        "key_hosts_to_change": [
            host
            for host in cluster.servers
            if host in key_hosts
            and (
                host in changing
                or host == cluster.primary
                or desired.removing
                # It has what the others get.
                or (host == cluster.key_source and targets)
                # Where the site speaks of key sets, timers follow them, or are taken away.
                or desired.trust.jwks is not None
            )
        ],
        # Everything that may have to be put back, and the closing table.
        "hosts_to_change": [*nodes, *cluster.servers],
        "hosts": [*key_hosts, *(host for host in cluster.restds if host not in key_hosts), *cluster.nodes],
        "conf": nodes + conf,
        "dbd_conf": dbd_conf,
        "packages": packages,
        "key_path": {host: cluster.key_path_of(host) for host in cluster.key_hosts} if cluster.primary else {},
        # Null where no daemon is to load a key for HS256.
        "conf_key_path": cluster.key_path if desired.trust.with_hs256 else None,
        "hs256": desired.trust.with_hs256,
        "signing_key": trusted_keys.signing_key(desired.trust, cluster.key_path),
        "algorithm": "RS256" if desired.trust.signs_rs256 else "HS256",
        "local_key_changes": bool(own),
        "jwks_targets": jwks,
        "jwks_distrusts": trusted_keys.distrusts(cluster.looks, cluster.key_hosts),
        "jwks_daemons": {host: cluster.jwks_daemons(host) for host in cluster.key_hosts if desired.trust.jwks},
        "key_hosts": cluster.key_hosts,
        "keys_aside": cluster.keys_aside(),
        "tidying": {kind: cluster.tidying(kind) for kind in (shared_files.SLURM, shared_files.SLURMDBD)},
        "key_source": cluster.key_source,
        "key_source_changes": bool(source),
        "key_targets": targets,
        "folders": folders,
        "slurmdbd": slurmdbd,
        "slurmctld": slurmctld,
        "slurmdbd_hosts": cluster.dbds,
        "slurmdbd_standbys": cluster.standby_dbds,
        "slurmrestd_hosts": cluster.restds,
        "up_to_date": not (changing or nodes or cluster.lines_missing(key_hosts)),
        "key_hosts_up_to_date": not any(host in changing for host in key_hosts),
        "due": due(cluster),
        "unseen_by_check": unseen_by_check(cluster),
    }
