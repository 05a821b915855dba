# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""All the reasons not to begin a run, each as a sentence. Private to this collection."""

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
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._cluster.current_state import Cluster
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._cluster.desired_state import Look
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._cluster.inspections import (
    errors_of,
    failed,
    reason_of,
    short,
    told_of,
)
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._cluster.unreachable_hosts import unreachable


def refusals(
    cluster: Cluster, looks: Mapping[str, Look], components: Mapping[str, Sequence[str]], in_play: Sequence[str]
) -> list[str]:
    """Every reason not to begin, as sentences that name the host and the remedy."""
    reasons = reasons_for_no_run(cluster, looks, components, in_play)
    if reasons:
        return reasons
    reasons = _under_way(cluster) or _source(cluster) or _tags(cluster) or _lines(cluster) or _unwritable(cluster)
    if cluster.desired.removing:
        return reasons
    trust = trusted_keys.refusals(cluster.desired.trust, cluster.looks, cluster.key_hosts)
    return reasons + trust + _unlisted_slurmdbd(cluster, components) + _keys(cluster) + _install(cluster)


def reasons_for_no_run(
    cluster: Cluster, looks: Mapping[str, Look], components: Mapping[str, Sequence[str]], in_play: Sequence[str]
) -> list[str]:
    """What no run begins with, be it a rollout or a rotation."""
    reasons = unreachable_hosts.refusals(looks, components)
    reasons += [
        f"{host}: the look at the host failed: {reason_of(look)}."
        for host, look in looks.items()
        if not unreachable(look) and failed(look)
    ]
    # The other questions have no answer where the key that counts is unknown.
    reasons = reasons + _problems(cluster) or _limited(components, in_play)
    return reasons if reasons or cluster.desired.removing else _controllers(cluster) + _dbds(cluster)


def _lines(cluster: Cluster) -> list[str]:
    """What another tool has to write first. A run that brings what the lines name does not wait for them."""
    desired = cluster.desired
    if desired.verifying or site_conf.only_prepares(desired.run_tags):
        return []
    lines = cluster.lines_missing(cluster.key_hosts)
    return site_conf.refusals(lines, cluster.prepared, desired.removing, cluster.key_named_by_lines)


def _unwritable(cluster: Cluster) -> list[str]:
    return [
        reason
        for kind, chosen in cluster.editors.items()
        for reason in shared_files.unwritable(cluster.looks, chosen, kind)
    ]


def _unlisted_slurmdbd(cluster: Cluster, components: Mapping[str, Sequence[str]]) -> list[str]:
    """A slurmdbd that nobody listed gets no key, and refuses each token that slurmrestd hands on to it."""
    conf = cluster.looks[cluster.primary]["conf"] if cluster.primary else None
    if conf is None or not conf["accounting"] or components["slurmdbd"] or not cluster.desired.serves_slurmdb:
        return []
    names = [conf["accounting_storage_host"], conf["accounting_storage_backup_host"]]
    hosts = " and ".join(name for name in names if name)
    return [
        f"{cluster.primary}: slurm.conf keeps accounts in slurmdbd on {hosts} (AccountingStorageHost), and the "
        "inventory has no host in the group of slurmdbd. It would get no key, and refuse every token for /slurmdb. Put "
        "its host into the group slurmdbd (the variable slurm_jwt_group_slurmdbd names another group). If slurmdbd is "
        "not to take tokens, set slurmrestd_slurmdb to false for the hosts of slurmrestd."
    ]


def _under_way(cluster: Cluster) -> list[str]:
    """A key that is being rotated is not to be touched by anybody else."""
    staged = {host: cluster.key(host).get("next") for host in cluster.key_hosts}
    return [
        f"{host}: a rotation of the key is under way, begun by {key['by'] or 'somebody'} at {key['created']}. Wait "
        "until it is done; if it has died, run the playbook hpc.slurm_jwt.rotate, which finishes it."
        for host, key in staged.items()
        if key and not cluster.desired.removing
    ][:1]


def _problems(cluster: Cluster) -> list[str]:
    errors = [
        (host, problem)
        for host, look in cluster.looks.items()
        for problem in errors_of(look, cluster.desired.removing)
    ]
    undeclared = undeclared_paths.sentences([each for each in errors if each[1]["code"] == UNDECLARED])
    return undeclared + [told_of(host, problem) for host, problem in errors if problem["code"] != UNDECLARED]


def _limited(components: Mapping[str, Sequence[str]], in_play: Sequence[str]) -> list[str]:
    """A limit may leave out nodes; of the servers it takes all or none, as they must change together."""
    servers = list(dict.fromkeys(host for name in ("slurmctld", "slurmdbd", "slurmrestd") for host in components[name]))
    absent = [host for host in servers if host not in in_play]
    if not absent or len(absent) == len(servers):
        return []
    return [
        f"--limit leaves out {', '.join(absent)}. Controllers, slurmdbd and slurmrestd have to change together, or "
        "tokens that one of them takes are refused by the next. Take all of them into the limit, or none of them to "
        "bring nodes only."
    ]


def _source(cluster: Cluster) -> list[str]:
    source = cluster.desired.key_source
    if not source or cluster.desired.removing:
        return []
    if source not in cluster.key_hosts:
        return [
            f"slurm_jwt_key_source names {source}, which is no controller and no host of slurmdbd in this play. "
            f"It may be {' or '.join(cluster.key_hosts) or 'none'}."
        ]
    if not cluster.key(source)["exists"]:
        return [f"slurm_jwt_key_source names {source}, which has no key at {cluster.key_path_of(source)}."]
    return []


def _keys(cluster: Cluster) -> list[str]:
    found = {host: cluster.key(host)["fingerprint"] for host in cluster.key_hosts if cluster.key(host)["exists"]}
    if len(set(found.values())) > 1 and not cluster.desired.key_source and cluster.desired.trust.with_hs256:
        keys = ", ".join(f"{host} has {fingerprint}" for host, fingerprint in sorted(found.items()))
        return [
            f"The key hosts have different keys: {keys}. Name the host whose key is to be everybody's in "
            "slurm_jwt_key_source; tokens signed with the other keys are refused from then on. Where several clusters "
            "share one slurmdbd, its key is the one to keep."
        ]
    return []


def _install(cluster: Cluster) -> list[str]:
    may_install = cluster.desired.install and cluster.desired.chosen("packages")
    # Of a host that signs no tokens only the plugins matter.
    signer = cluster.primary
    return [
        f"{host}: {reason}"
        for host in cluster.key_hosts
        for reason in missing_packages.obstacles(cluster.looks[host], cluster.packages(host), may_install)
        if host == signer or cluster.packages(host)
    ]


def _tags(cluster: Cluster) -> list[str]:
    """``--tags`` must not leave a cluster whose files say one thing and whose daemons another."""
    due = {
        "key": bool(
            cluster.key_source_changes() or cluster.key_targets() or cluster.local_key_changes or cluster.jwks_targets()
        ),
        "conf": any(map(cluster.conf_changes, cluster.key_hosts)) or any(map(cluster.dbd_conf_changes, cluster.dbds)),
        "daemons": bool(cluster.slurmdbd_restarts() or cluster.slurmctld_loads()),
    }
    desired = cluster.desired
    left = [tag for tag, is_due in due.items() if is_due and not desired.chosen(tag)]
    begun = [tag for tag in ("conf", "daemons") if due[tag] and desired.chosen(tag)]
    if not left or not begun:
        return []
    return [
        f"The tags let {' and '.join(begun)} run and leave out {' and '.join(left)}, which is due as well: the cluster "
        "would be left half changed. Run it with --tags key,conf,daemons, or without tags."
    ]


def _controllers(cluster: Cluster) -> list[str]:
    """A standby that the inventory does not know would get no key, and not start again."""
    if cluster.primary is None or cluster.looks[cluster.primary]["conf"] is None:
        return []
    named = [controller["name"] for controller in cluster.looks[cluster.primary]["conf"]["controllers"]]
    unknown = _unknown(cluster, named, cluster.controllers)
    if not unknown:
        return []
    return [
        f"slurm.conf names the controllers {', '.join(named)}, and the inventory's group has only "
        f"{', '.join(cluster.controllers)}. A standby without the key dies at its next start. "
        f"Add {' and '.join(unknown)} to the group."
    ]


def _dbds(cluster: Cluster) -> list[str]:
    """The same of slurmdbd's standby: after a failover it would refuse every token."""
    for host in cluster.dbds:
        conf = cluster.looks[host]["dbd_conf"] or {}
        named = [name for name in (conf.get("dbd_host"), conf.get("dbd_backup_host")) if name]
        unknown = _unknown(cluster, named, cluster.dbds)
        if unknown:
            return [
                f"{host}: slurmdbd.conf names {' and '.join(named)}, and the inventory's group has only "
                f"{', '.join(cluster.dbds)}. A slurmdbd without the key refuses every token when it takes over. "
                f"Add {' and '.join(unknown)} to the group."
            ]
    return []


def _unknown(cluster: Cluster, named: Sequence[str], hosts: Sequence[str]) -> list[str]:
    """The names of more hosts than the inventory has. One host by another name is an alias, one more is a standby."""
    known = {short(host) for host in hosts} | {short(cluster.looks[host]["hostname"]) for host in hosts}
    unknown = [name for name in named if short(name) not in known]
    return unknown if len(named) > len(hosts) else []
