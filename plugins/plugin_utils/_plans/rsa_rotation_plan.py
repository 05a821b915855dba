# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Decides what a rotation of the local RSA key does, once, from the observations of all hosts. Private to this
collection.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._cluster import inspections, trusted_keys
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._cluster.desired_state import Desired, Observed
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._cluster.state import cluster_state
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._inventory.hostlist import grouped
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._plans import preflight
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._plans.plan_types import (
    RefusedPlan,
    RsaRotationPlan,
    cluster_members,
)
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._plans.refused import refused
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._plans.rotation_checks import (
    ROLL_OUT_FIRST,
    daemons_down,
    drift,
    missing_packages,
    no_controller,
    nothing_requested,
    other_clusters,
    other_run,
    slurmrestd_dies,
)
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._plans.rotation_settings import IsDead, RotationSettings
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._plans.rsa_rotation import RsaRotation


def plan(
    observations: Mapping[str, Observed],
    components: Mapping[str, Sequence[str]],
    in_play: Sequence[str],
    settings: RotationSettings,
    trust: trusted_keys.Trust,
    key: Mapping[str, Any],
    is_dead: IsDead,
) -> RsaRotationPlan | RefusedPlan:
    """The plan for the hosts of the play; ``key`` is the observation of the local RSA key."""
    observations = {host: observations[host] for host in in_play}
    without = inspections.left_out(observations, components, unreachable_too=True)
    taking_part = {host: observed for host, observed in observations.items() if host not in without}
    state = cluster_state(taking_part, components, Desired(trust=trust))
    rotation = RsaRotation(state, key, settings)
    reasons = preflight.common_refusals(state.cluster, taking_part, components, in_play)
    reasons = reasons or _refusals(rotation, is_dead)
    return refused(reasons, without, observations, components) if reasons else _plan(rotation, without)


def _plan(rotation: RsaRotation, without: Mapping[str, str]) -> RsaRotationPlan:
    cluster, settings, reason = rotation.cluster, rotation.settings, rotation.reason
    staged = rotation.staged or {}
    hosts = list(dict.fromkeys([*cluster.key_hosts, *cluster.slurmrestd_hosts]))
    makes_key = reason not in (None, "key_set")
    services = [host for host in settings.token_hosts if host not in without] if makes_key else []
    return RsaRotationPlan(
        **cluster_members(cluster),
        warnings=_warnings(rotation) if reason else [],
        left_out=without,
        speaker=cluster.primary,
        hosts=hosts,
        rsa_rotation=cluster.key_hosts if reason else [],
        receiving=list(dict.fromkeys([str(cluster.primary), *services])) if services else [],
        hosts_to_change=hosts if reason else [],
        key_path={host: rotation.state.keys.path_on(host) for host in cluster.key_hosts},
        signing_key=cluster.desired.trust.local_key.path,
        algorithm="RS256",
        # No host takes part in the steps of an HS256 rotation.
        key_hosts_to_change=[],
        check_mode=settings.check_mode,
        services=[],
        signer_and_services=[],
        slurmrestd_dies=slurmrestd_dies(cluster) if reason else [],
        reason=reason,
        makes_key=makes_key,
        serial=(staged["serial"] or "") if staged else settings.serial,
        run=settings.run,
        by=settings.by,
        take_over=staged.get("run"),
        old=rotation.key["public_jwk"]["kid"],
        old_signs=not rotation.signs,
        stale=bool(rotation.stale),
        load=rotation.loads,
        jwks_targets=cluster.key_hosts if reason else [],
        jwks_daemons={host: rotation.state.daemons.of_key_set(host) for host in cluster.key_hosts},
        openmetrics={},
        up_to_date=not reason,
        unseen_by_check=_unseen_by_check(rotation),
    )


def _unseen_by_check(rotation: RsaRotation) -> dict[str, list[str]]:
    if rotation.reason is None:
        return {}
    return {host: ["key set changed, daemons load it"] for host in rotation.cluster.key_hosts}


def _warnings(rotation: RsaRotation) -> list[str]:
    staged = rotation.staged
    if staged is None:
        return []
    progress = "it signs already" if rotation.signs else "it did not sign yet"
    return [
        f"{staged['by'] or 'Somebody'} began this rotation at {staged['created']} and did not finish it: the next key "
        f"was made, and {progress}. It is finished now."
    ]


# -- what is refused ---------------------------------------------------------------------------------------------------


def _refusals(rotation: RsaRotation, is_dead: IsDead) -> list[str]:
    """Every reason to refuse, in addition to those of any run."""
    cluster = rotation.cluster
    if cluster.primary is None:
        return no_controller()
    return (
        _no_local_key(cluster.desired.trust)
        or trusted_keys.refusals(cluster.desired.trust, cluster.observations, cluster.key_hosts)
        or other_run(rotation.staged, rotation.settings, is_dead)
        or _not_as_declared(rotation)
        or ([] if rotation.reason else nothing_requested(rotation.settings))
        or ([] if rotation.reason is None else other_clusters(cluster, rotation.settings))
    )


def _no_local_key(trust: trusted_keys.Trust) -> list[str]:
    if trust.local_key.path:
        return []
    return [
        "No local key signs tokens of this cluster: HS256 does not sign, and slurm_jwt_rs256_key_path is empty. "
        "Identity providers rotate their keys themselves, and hpc.slurm_jwt.rollout follows them."
    ]


def _not_as_declared(rotation: RsaRotation) -> list[str]:
    cluster, path = rotation.cluster, rotation.cluster.desired.trust.local_key.path
    reasons = [*drift(cluster, rotation.state.conf_files), *daemons_down(cluster), *missing_packages(cluster)]
    public = rotation.key.get("public_jwk")
    if not public:
        reasons.append(f"{cluster.primary}: there is no RSA key at {path}")
    else:
        trusts = {host: cluster.observations[host].get("trust") or {} for host in cluster.key_hosts}
        reasons += grouped(
            (host, f"does not trust the key at {path} yet")
            for host, observed in trusts.items()
            if public["kid"] in (observed.get("added") or ())
        )
    return [*reasons, ROLL_OUT_FIRST] if reasons else []
