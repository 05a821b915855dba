# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""All reasons to refuse a run before its first change, each as a sentence. Private to this collection."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._inspect.undeclared import CODE as UNDECLARED
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._cluster import (
    missing_packages,
    shared_files,
    site_conf,
    trusted_keys,
    undeclared_paths,
    unreachable_hosts,
)
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._cluster.cluster import Cluster
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._cluster.desired_state import Observed
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._cluster.inspections import (
    errors_of,
    failed,
    reason_of,
    sentences_of,
    short,
)
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._cluster.state import ClusterState
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._cluster.unreachable_hosts import unreachable
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._inventory.hostlist import grouped


def rollout_refusals(
    state: ClusterState,
    observations: Mapping[str, Observed],
    components: Mapping[str, Sequence[str]],
    in_play: Sequence[str],
) -> list[str]:
    """Every reason to refuse a rollout or a removal."""
    reasons = common_refusals(state.cluster, observations, components, in_play)
    if reasons:
        return reasons
    reasons = (
        _rotation_under_way(state)
        or _key_source(state)
        or _tags(state)
        or _missing_lines(state)
        or [
            reason
            for kind, editors in state.conf_files.editors.items()
            for reason in shared_files.unwritable(state.cluster.observations, editors, kind)
        ]
    )
    cluster = state.cluster
    if cluster.desired.removing:
        return reasons
    trust = trusted_keys.refusals(cluster.desired.trust, cluster.observations, cluster.key_hosts)
    keys = _different_keys(state) + _different_metrics_keys(state)
    slurmdbd = _unlisted_slurmdbd(cluster, components) + _slurmrestd_with_standby_slurmdbd(cluster, components)
    return reasons + trust + slurmdbd + keys + _packages(cluster)


def common_refusals(
    cluster: Cluster,
    observations: Mapping[str, Observed],
    components: Mapping[str, Sequence[str]],
    in_play: Sequence[str],
) -> list[str]:
    """Every reason to refuse any run, a rollout or a rotation."""
    reasons = unreachable_hosts.refusals(observations, components)
    reasons += grouped(
        (host, f"the inspection of the host failed: {reason_of(observed)}.")
        for host, observed in observations.items()
        if not unreachable(observed) and failed(observed)
    )
    # The other checks have no result while the key in use is unknown.
    reasons = reasons + _problems(cluster) or _limit(components, in_play)
    if reasons or cluster.desired.removing:
        return reasons
    return _standby_controllers(cluster) + _standby_slurmdbd(cluster)


def _missing_lines(state: ClusterState) -> list[str]:
    """Lines that another tool must write first. A run that only prepares what the lines name does not wait for them."""
    desired = state.cluster.desired
    if desired.verifying or site_conf.only_prepares(desired.run_tags):
        return []
    lines = state.conf_files.missing_lines(state.cluster.key_hosts)
    return site_conf.refusals(lines, _is_prepared(state), desired.removing, state.keys.undeclared_path)


def _is_prepared(state: ClusterState) -> bool:
    """Whether all that slurm.conf names is in place."""
    packages = any(state.cluster.packages(host) for host in state.cluster.key_hosts)
    return not packages and not _keys_change(state)


def _keys_change(state: ClusterState) -> bool:
    keys = state.keys
    of_cluster = keys.shared.changing() or keys.local_key_changes or keys.key_set_targets()
    return bool(of_cluster or state.openmetrics.shared.changing())


def _unlisted_slurmdbd(cluster: Cluster, components: Mapping[str, Sequence[str]]) -> list[str]:
    """A slurmdbd that is not in the inventory gets no key, and refuses each token that slurmrestd passes to it."""
    conf = cluster.observations[cluster.primary]["conf"] if cluster.primary else None
    if conf is None or not conf["accounting"] or components["slurmdbd"] or not cluster.desired.serves_slurmdb:
        return []
    names = [conf["accounting_storage_host"], conf["accounting_storage_backup_host"]]
    hosts = " and ".join(name for name in names if name)
    return [
        f"{cluster.primary}: slurm.conf keeps accounts in slurmdbd on {hosts} (AccountingStorageHost), and the "
        "inventory has no host in the group of slurmdbd. It would get no key, and refuse every token for /slurmdb. Put "
        "its host into the group slurmdbd (the variable slurm_jwt_group_slurmdbd names another group). If slurmdbd "
        "must not accept tokens, set slurmrestd_slurmdb to false for the hosts of slurmrestd."
    ]


def _slurmrestd_with_standby_slurmdbd(cluster: Cluster, components: Mapping[str, Sequence[str]]) -> list[str]:
    """If slurmdbd refuses a token, slurmrestd asks the standby, which does not listen. With Slurm 20.11 it exits."""
    primary = cluster.observations[cluster.primary] if cluster.primary else None
    conf = primary["conf"] if primary else None
    if not primary or not conf or not components["slurmrestd"] or not cluster.desired.serves_slurmdb:
        return []
    standby, survives = conf["accounting_storage_backup_host"], "slurmrestd_survives_slurmdbd_restart"
    if not conf["accounting"] or not standby or primary["capabilities"].get(survives, True):
        return []
    return [
        f"{cluster.primary}: slurm.conf names the standby slurmdbd {standby} (AccountingStorageBackupHost). With it, "
        f"slurmrestd of Slurm {primary['release']} exits at each token that slurmdbd refuses, so any client could end "
        "it. Set slurmrestd_slurmdb to false for the hosts of slurmrestd, which then serve /slurm only, or upgrade to "
        "Slurm 22.05 or later."
    ]


def _rotation_under_way(state: ClusterState) -> list[str]:
    """Nothing else may change a key during its rotation."""
    staged = [(host, state.keys.current(host).get("next")) for host in state.cluster.key_hosts]
    staged += [(host, state.openmetrics.current(host).get("next")) for host in state.cluster.controllers]
    return [
        f"{host}: a rotation of the key is under way, begun by {key['by'] or 'somebody'} at {key['created']}. Wait "
        "until it is done; if it has died, run the playbook hpc.slurm_jwt.rotate, which finishes it."
        for host, key in staged
        if key and not state.cluster.desired.removing
    ][:1]


def _problems(cluster: Cluster) -> list[str]:
    errors = [
        (host, problem)
        for host, observed in cluster.observations.items()
        for problem in errors_of(observed, cluster.desired.removing)
    ]
    undeclared = undeclared_paths.sentences([each for each in errors if each[1]["code"] == UNDECLARED])
    others = grouped((host, sentences_of(problem)) for host, problem in errors if problem["code"] != UNDECLARED)
    return undeclared + others


def _limit(components: Mapping[str, Sequence[str]], in_play: Sequence[str]) -> list[str]:
    """--limit may leave out nodes, but only all servers or none, as they must change together."""
    servers = list(dict.fromkeys(host for name in ("slurmctld", "slurmdbd", "slurmrestd") for host in components[name]))
    absent = [host for host in servers if host not in in_play]
    if not absent or len(absent) == len(servers):
        return []
    return [
        f"--limit leaves out {', '.join(absent)}. Controllers, slurmdbd and slurmrestd must change together. Otherwise "
        "one of them refuses tokens that another accepts. Add all of them to the limit, or none of them to change "
        "nodes only."
    ]


def _key_source(state: ClusterState) -> list[str]:
    source, key_hosts = state.cluster.desired.key_source, state.cluster.key_hosts
    if not source or state.cluster.desired.removing:
        return []
    if source not in key_hosts:
        return [
            f"slurm_jwt_key_source names {source}, which is no controller and no host of slurmdbd in this play. "
            f"It may be {' or '.join(key_hosts) or 'none'}."
        ]
    if not state.keys.current(source)["exists"]:
        return [f"slurm_jwt_key_source names {source}, which has no key at {state.keys.path_on(source)}."]
    return []


def _different_keys(state: ClusterState) -> list[str]:
    current = {host: state.keys.current(host) for host in state.cluster.key_hosts}
    fingerprints = {host: key["fingerprint"] for host, key in current.items() if key["exists"]}
    desired = state.cluster.desired
    if len(set(fingerprints.values())) > 1 and not desired.key_source and desired.trust.with_hs256:
        keys = ", ".join(f"{host} has {fingerprint}" for host, fingerprint in sorted(fingerprints.items()))
        return [
            f"The key hosts have different keys: {keys}. Name the host whose key all others must get in "
            "slurm_jwt_key_source; tokens signed with the other keys are refused from then on. If several clusters "
            "share one slurmdbd, keep its key."
        ]
    return []


def _different_metrics_keys(state: ClusterState) -> list[str]:
    key = state.openmetrics
    controllers = [host for host in state.cluster.controllers if key.current(host)["exists"]]
    found = {host: key.current(host)["fingerprint"] for host in controllers}
    if not key.on or len(set(found.values())) <= 1:
        return []
    keys = ", ".join(f"{host} has {fingerprint}" for host, fingerprint in sorted(found.items()))
    paths = " and ".join(sorted({key.path_on(host) for host in found}))
    return [
        f"The controllers have different keys for metrics: {keys}. Remove {paths} on all but the one whose key "
        "slurmctld has in force; the rollout copies that to the others."
    ]


def _packages(cluster: Cluster) -> list[str]:
    may_install = cluster.desired.install and cluster.desired.chosen("packages")
    # On a host that signs no tokens only the plugins matter.
    return grouped(
        (host, reason)
        for host in cluster.key_hosts
        for reason in missing_packages.obstacles(cluster.observations[host], cluster.packages(host), may_install)
        if host == cluster.primary or cluster.packages(host)
    )


def _tags(state: ClusterState) -> list[str]:
    """``--tags`` must not leave a cluster whose daemons do not match its files."""
    cluster, files = state.cluster, state.conf_files
    due = {
        "key": _keys_change(state),
        "conf": any(map(files.edits_slurm_conf, cluster.key_hosts))
        or any(map(files.edits_slurmdbd_conf, cluster.slurmdbd_hosts)),
        "daemons": bool(state.daemons.slurmdbd_restarts() or state.daemons.slurmctld_loads()),
    }
    left = [tag for tag, is_due in due.items() if is_due and not cluster.desired.chosen(tag)]
    begun = [tag for tag in ("conf", "daemons") if due[tag] and cluster.desired.chosen(tag)]
    if not left or not begun:
        return []
    return [
        f"The tags let {' and '.join(begun)} run and leave out {' and '.join(left)}, which is due as well: the cluster "
        "would be left half changed. Run it with --tags key,conf,daemons, or without tags."
    ]


def _standby_controllers(cluster: Cluster) -> list[str]:
    """A standby that is not in the inventory gets no key, and does not start again."""
    if cluster.primary is None or cluster.observations[cluster.primary]["conf"] is None:
        return []
    named = [controller["name"] for controller in cluster.observations[cluster.primary]["conf"]["controllers"]]
    unlisted = _unlisted(cluster, named, cluster.controllers)
    if not unlisted:
        return []
    return [
        f"slurm.conf names the controllers {', '.join(named)}, and the inventory's group has only "
        f"{', '.join(cluster.controllers)}. A standby without the key dies at its next start. "
        f"Add {' and '.join(unlisted)} to the group."
    ]


def _standby_slurmdbd(cluster: Cluster) -> list[str]:
    """After a failover a standby slurmdbd that is not in the inventory refuses every token."""
    hosts = cluster.slurmdbd_hosts
    for host in hosts:
        conf = cluster.observations[host]["dbd_conf"] or {}
        named = [name for name in (conf.get("dbd_host"), conf.get("dbd_backup_host")) if name]
        unlisted = _unlisted(cluster, named, hosts)
        if unlisted:
            return [
                f"{host}: slurmdbd.conf names {' and '.join(named)}, and the inventory's group has only "
                f"{', '.join(hosts)}. A slurmdbd without the key refuses every token when it takes over. "
                f"Add {' and '.join(unlisted)} to the group."
            ]
    return []


def _unlisted(cluster: Cluster, named: Sequence[str], hosts: Sequence[str]) -> list[str]:
    """The named hosts that are not in the inventory; none if it has as many hosts: then a name is an alias."""
    listed = {short(host) for host in hosts} | {short(cluster.observations[host]["hostname"]) for host in hosts}
    unlisted = [name for name in named if short(name) not in listed]
    return unlisted if len(named) > len(hosts) else []
