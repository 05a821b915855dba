# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Decides what a rollout or a removal does, once, from the observations of all hosts. Private to this collection.

All refusals are decided here, before the first change, with every reason at once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._cluster import (
    missing_packages,
    shared_files,
    trusted_keys,
    unreachable_hosts,
)
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._cluster.daemons import RECONFIGURE
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._cluster.desired_state import Desired, Observed
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._cluster.inspections import key_hosts_of, left_out
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._cluster.state import ClusterState, cluster_state
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._plans.due_changes import due_changes
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._plans.plan_types import (
    RefusedPlan,
    RolloutPlan,
    cluster_members,
    openmetrics_plan,
)
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._plans.preflight import rollout_refusals
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._plans.refused import refused
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._plans.run_warnings import warnings

Components = Mapping[str, Sequence[str]]


def plan(
    observations: Mapping[str, Observed], components: Components, in_play: Sequence[str], desired: Desired
) -> RolloutPlan | RefusedPlan:
    """The plan for the hosts of the play."""
    observations = {host: observations[host] for host in in_play}
    silent = _allowed_silent_nodes(observations, components, desired)
    without = {
        **left_out(observations, components, desired.removing),
        **_uninstallable(observations, components, desired),
        **_lost_listeners(observations, desired),
    }
    taking_part = {host: seen for host, seen in observations.items() if host not in without and host not in silent}
    unwritable = cluster_state(taking_part, components, desired).conf_files.unwritable()
    without.update(unwritable)
    taking_part = {host: seen for host, seen in taking_part.items() if host not in unwritable}
    state = cluster_state(taking_part, components, desired)
    reasons = rollout_refusals(state, taking_part, components, in_play)
    if reasons:
        return refused(reasons, without, observations, components)
    notes = unreachable_hosts.notes(silent) + warnings(state, components, in_play)
    return _plan(state, in_play, without, notes)


def _plan(
    state: ClusterState, in_play: Sequence[str], without: Mapping[str, str], notes: Sequence[str]
) -> RolloutPlan:
    cluster, keys, files, daemons, metrics = state
    desired, trust = cluster.desired, cluster.desired.trust
    slurmdbd, slurmctld = daemons.slurmdbd_restarts(), daemons.slurmctld_loads()
    packages = {host: cluster.packages(host) for host in cluster.servers if cluster.packages(host)}
    nodes = [host for host in cluster.nodes if files.edits_slurm_conf(host)]
    conf = [host for host in cluster.servers if files.edits_slurm_conf(host)]
    dbd_conf = [host for host in cluster.slurmdbd_hosts if files.edits_slurmdbd_conf(host)]
    key_hosts, targets, key_sets = cluster.key_hosts, keys.shared.targets(), keys.key_set_targets()
    folders = keys.folders_to_make()
    local_key = [cluster.primary] if cluster.primary and keys.local_key_changes else []
    changing = {
        *packages, *conf, *dbd_conf, *keys.shared.changing(), *local_key, *key_sets, *folders, *slurmdbd, *slurmctld,
        *metrics.changing(),
    }  # fmt: skip

    keys_aside, key_sets_aside = keys.put_aside(), keys.key_sets_aside()
    backups = {kind: files.remove_backups_on(kind) for kind in (shared_files.SLURM, shared_files.SLURMDBD)}
    tidying = {
        *keys_aside, *metrics.put_aside(), *key_sets_aside, *backups[shared_files.SLURM],
        *backups[shared_files.SLURMDBD],
        # It may have a local signing key.
        *([cluster.primary] if desired.removing else []),
    }  # fmt: skip

    def key_host_changes(host: str) -> bool:
        return (
            host in changing
            # It is always proven.
            or host == cluster.primary
            or desired.removing
            # It has the key that others get.
            or (host == keys.source and bool(targets))
            or (host == metrics.source and bool(metrics.shared.targets()))
            # Its JWKS timer is installed or removed.
            or trust.jwks is not None
        )

    return RolloutPlan(
        **cluster_members(cluster),
        warnings=notes,
        left_out=without,
        speaker=cluster.primary or next(iter(cluster.nodes), None) or next(iter(in_play), None),
        outer_hosts=[
            *nodes,
            *(host for host in cluster.servers if host not in key_hosts and (host in conf or host in packages)),
        ],
        key_hosts_to_change=[host for host in cluster.servers if host in key_hosts and key_host_changes(host)],
        hosts_to_change=[*nodes, *cluster.servers],
        hosts=[*key_hosts, *(host for host in cluster.slurmrestd_hosts if host not in key_hosts), *cluster.nodes],
        conf=nodes + conf,
        dbd_conf=dbd_conf,
        packages=packages,
        key_path={host: keys.path_on(host) for host in key_hosts} if cluster.primary else {},
        conf_key_path=keys.path if trust.with_hs256 else None,
        hs256=trust.with_hs256,
        signing_key=trusted_keys.signing_key(trust, keys.path),
        algorithm="RS256" if trust.signs_rs256 else "HS256",
        local_key_changes=bool(local_key),
        jwks_targets=key_sets,
        jwks_distrusts=trusted_keys.distrusts(cluster.observations, key_hosts),
        jwks_daemons={host: daemons.of_key_set(host) for host in key_hosts if trust.jwks},
        keys_aside=keys_aside,
        key_sets_aside=key_sets_aside,
        tidying_hosts=[host for host in [*cluster.nodes, *cluster.servers] if host in tidying],
        openmetrics=openmetrics_plan(metrics),
        tidying=backups,
        key_source=keys.source,
        key_source_changes=keys.shared.source_changes(),
        key_targets=targets,
        folders=folders,
        slurmdbd=slurmdbd,
        slurmctld=slurmctld,
        up_to_date=not (changing or nodes or files.missing_lines(key_hosts)),
        key_hosts_up_to_date=not any(host in changing for host in key_hosts),
        due=due_changes(state),
        unseen_by_check=_unseen_by_check(state),
    )


def _unseen_by_check(state: ClusterState) -> dict[str, list[str]]:
    """Actions that tasks cannot report in check mode: they have no key to copy, and commands do not run."""
    cluster, trust = state.cluster, state.cluster.desired.trust
    unseen = {host: ["key installed"] for host in state.keys.shared.targets()}
    for host in state.openmetrics.shared.targets():
        unseen.setdefault(host, []).append("key for metrics installed")
    if cluster.primary and not trust.local_key.known:
        if missing_packages.python_of(cluster.observations[cluster.primary]).get("cryptography") is None:
            unseen.setdefault(cluster.primary, []).append("RSA key made")
        for host in state.keys.key_set_targets():
            # If other sources change the key set, a task reports it.
            if not (cluster.observations[host].get("trust") or {}).get("differs"):
                unseen.setdefault(host, []).append("key set changed")
    for host, method in state.daemons.slurmctld_loads().items():
        if method == RECONFIGURE:
            unseen.setdefault(host, []).append("slurmctld reconfigured")
    return unseen


# -- hosts without a key that cannot take part -------------------------------------------------------------------------


def _allowed_silent_nodes(
    observations: Mapping[str, Observed], components: Components, desired: Desired
) -> list[str]:
    """The unreachable nodes, if the site allows that many."""
    silent = unreachable_hosts.nodes(observations, components)
    allowed = unreachable_hosts.allowed(desired.nodes_unreachable_max, len(components["node"]))
    return silent if len(silent) <= allowed else []


def _lost_listeners(observations: Mapping[str, Observed], desired: Desired) -> dict[str, str]:
    """The hosts where slurmrestd would stop listening at an address although the site did not declare that."""
    if desired.removing:
        return {}
    reasons = {}
    for host, default in desired.default_listeners.items():
        daemon = ((observations.get(host) or {}).get("daemons") or {}).get("slurmrestd") or {}
        current = daemon.get("listens") or []
        lost = [each for each in current if each != default]
        if lost:
            kept = [*current, *([default] if default.startswith("unix:") and default not in current else [])]
            reasons[host] = (
                f"slurmrestd listens at {', '.join(lost)}, and clients there would be cut off: by default it would "
                f"listen at {default} alone. Declare its addresses in slurmrestd_listen; to keep them: "
                f"slurmrestd_listen: [{', '.join(map(repr, kept))}]."
            )
    return reasons


def _uninstallable(
    observations: Mapping[str, Observed], components: Components, desired: Desired
) -> dict[str, str]:
    """The hosts where packages are missing that this run cannot install."""
    if desired.removing:
        return {}
    may_install, reasons = desired.install and desired.chosen("packages"), {}
    for host, observed in observations.items():
        packages = (observed.get("plugins") or {}).get("packages")
        if host in key_hosts_of(components):
            continue
        obstacles = missing_packages.obstacles(observed, packages, may_install) if packages else []
        if obstacles:
            reasons[host] = " ".join(obstacles)
    return reasons
