# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Decides what a rotation of the HS256 key does, once, from the observations of all hosts. Private to this
collection.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._cluster import inspections
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._cluster.desired_state import Desired, Observed
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._cluster.state import cluster_state
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._inventory.hostlist import grouped
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._plans import preflight
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._plans.hs256_rotation import Hs256Rotation
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._plans.plan_types import (
    Hs256RotationPlan,
    RefusedPlan,
    cluster_members,
)
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._plans.refused import refused
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._plans.rotation_checks import (
    ROLL_OUT_FIRST,
    daemons_down,
    daemons_of,
    drift,
    missing_packages,
    no_controller,
    nothing_requested,
    other_clusters,
    other_run,
    slurmrestd_dies,
)
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._plans.rotation_settings import (
    AUTO,
    IN_PLACE,
    RELOAD,
    IsDead,
    RotationSettings,
)

# During a rotation a rollout is refused.
FIX_BY_HAND = "A rotation is under way, so repair that by hand; then run this again, which finishes it."
GIVE_UP = (
    "A rotation is under way, and cannot continue. Give it up with hpc.slurm_jwt.slurm_jwt_key, state: unstaged, on "
    "every key host; then run the playbook hpc.slurm_jwt.rollout, with slurm_jwt_key_source naming the host whose key "
    "all others must get."
)


def plan(
    observations: Mapping[str, Observed],
    components: Mapping[str, Sequence[str]],
    in_play: Sequence[str],
    settings: RotationSettings,
    is_dead: IsDead,
) -> Hs256RotationPlan | RefusedPlan:
    """The plan for the hosts of the play."""
    observations = {host: observations[host] for host in in_play}
    without = inspections.left_out(observations, components, unreachable_too=True)
    taking_part = {host: observed for host, observed in observations.items() if host not in without}
    state = cluster_state(taking_part, components, Desired())
    reasons = preflight.common_refusals(state.cluster, taking_part, components, in_play)
    rotation = Hs256Rotation(state, settings)
    reasons = reasons or _refusals(rotation, is_dead)
    if reasons:
        return refused(reasons, without, observations, components)
    return _plan(rotation, without)


def _plan(rotation: Hs256Rotation, without: Mapping[str, str]) -> Hs256RotationPlan:
    cluster, settings, reason = rotation.cluster, rotation.settings, rotation.reason
    staged = rotation.staged or {}
    services = [host for host in settings.token_hosts if host not in without] if reason else []
    hosts = list(dict.fromkeys([*cluster.key_hosts, *cluster.slurmrestd_hosts, *services]))
    rotates, in_place = bool(reason) and not rotation.tidy_only, rotation.method == IN_PLACE
    rotating = cluster.key_hosts if rotates else []
    with_tokens = services if rotates else []
    load = rotation.loads(rotation.method)
    return Hs256RotationPlan(
        **cluster_members(cluster),
        warnings=_warnings(rotation) if reason else [],
        left_out=without,
        speaker=cluster.primary,
        hosts=list(dict.fromkeys([*cluster.key_hosts, *cluster.slurmrestd_hosts])),
        key_hosts_to_change=cluster.key_hosts if reason else [],
        check_mode=settings.check_mode,
        services=services,
        rotating=rotating,
        new_token_hosts=[] if rotation.staged_on else with_tokens,
        signer_and_services=(
            list(dict.fromkeys([str(cluster.primary), *with_tokens])) if with_tokens and rotation.staged_on else []
        ),
        swapping_tokens=with_tokens if in_place else [],
        activating_tokens=[] if in_place else with_tokens,
        loading=[] if in_place else rotating,
        loading_standbys=rotating if in_place and (load.slurmdbd or load.slurmctld) else [],
        hosts_to_change=hosts if reason else [],
        key_path={host: rotation.state.keys.path_on(host) for host in cluster.key_hosts},
        signing_key=rotation.state.keys.path,
        algorithm="HS256",
        rsa_rotation=[],
        slurmrestd_dies=slurmrestd_dies(cluster) if reason else [],
        reason=reason,
        tidy_only=rotation.tidy_only,
        # An unfinished rotation keeps its serial. The next run applies a newer one.
        serial=staged.get("serial") or "" if rotation.staged else settings.serial,
        run=settings.run,
        by=settings.by,
        run_to_end={host: rotation.run_to_end(host) for host in cluster.key_hosts},
        take_over=staged.get("run"),
        old=rotation.old,
        way="in_place" if in_place else "rename",
        load=load,
        fallback=rotation.loads(RELOAD),
        lead=rotation.lead,
        least_lead=rotation.least_lead,
        longest_lead=rotation.longest_lead,
        clock_lag=rotation.clock_lag,
        openmetrics={},
        up_to_date=not reason,
        unseen_by_check=_unseen_by_check(rotation) if reason else {},
    )


def _unseen_by_check(rotation: Hs256Rotation) -> dict[str, list[str]]:
    if rotation.tidy_only:
        return {host: ["staged key removed"] for host in rotation.staged_on}
    return {host: ["key rotated"] for host in rotation.cluster.key_hosts}


def _warnings(rotation: Hs256Rotation) -> list[str]:
    if rotation.tidy_only:
        where = ", ".join(rotation.staged_on)
        return [f"An earlier rotation left its staged key on {where}. It is removed, and no key is rotated."]
    notes = []
    if rotation.settings.method == AUTO and rotation.method != IN_PLACE:
        reasons = "; ".join(rotation.against_in_place())
        notes.append(
            f"The key is not swapped in place, because {reasons}. Daemons load it one after the other, and requests "
            "between two of them are refused."
        )
    staged, key_hosts = rotation.staged, rotation.cluster.key_hosts
    if staged:
        progress = f"{len(rotation.swapped)} of {len(key_hosts)} key hosts had the new key"
        notes.append(
            f"{staged['by'] or 'Somebody'} began this rotation at {staged['created']} and did not finish it "
            f"({progress}). It is finished now."
        )
        notes += [
            f"{text}. Run the playbook hpc.slurm_jwt.rollout afterwards."
            for text in drift(rotation.cluster, rotation.state.conf_files)
        ]
    return notes


# -- what is refused ---------------------------------------------------------------------------------------------------


def _refusals(rotation: Hs256Rotation, is_dead: IsDead) -> list[str]:
    """Every reason to refuse, in addition to those of any run."""
    if rotation.cluster.primary is None:
        return no_controller()
    return (
        other_run(rotation.staged_anywhere, rotation.settings, is_dead)
        or _not_as_declared(rotation)
        or _daemons(rotation)
        or _different_keys(rotation)
        or ([] if rotation.staged_on else nothing_requested(rotation.settings))
        or ([] if rotation.reason is None else other_clusters(rotation.cluster, rotation.settings))
    )


def _not_as_declared(rotation: Hs256Rotation) -> list[str]:
    cluster, keys = rotation.cluster, rotation.state.keys
    keyless = grouped((host, "has no key") for host in cluster.key_hosts if not keys.current(host)["exists"])
    packages = missing_packages(cluster)
    if rotation.staged_on:
        # This rotation needs only packages and keys. The next rollout repairs files that are not as declared.
        remedies = [FIX_BY_HAND] if packages else [GIVE_UP] if keyless else []
        return [*packages, *keyless, *remedies]
    reasons = [*drift(cluster, rotation.state.conf_files), *packages, *keyless]
    return [*reasons, ROLL_OUT_FIRST] if reasons else []


def _daemons(rotation: Hs256Rotation) -> list[str]:
    """Daemons that are down, or have another key than the disk, unless an unfinished rotation explains that."""
    down = daemons_down(rotation.cluster)
    behind = grouped(
        (host, f"{component} has not loaded the key on its disk")
        for host, component, daemon in daemons_of(rotation.cluster)
        if daemon["key_loaded"] in ("absent", "replaced") and not rotation.staged_on
    )
    remedy = FIX_BY_HAND if rotation.staged_on else ROLL_OUT_FIRST
    return [*down, *behind, remedy] if down or behind else []


def _different_keys(rotation: Hs256Rotation) -> list[str]:
    """The key hosts must have one key; during a rotation, that key and the next one."""
    next_key = rotation.staged["fingerprint"] if rotation.staged else None
    current = {host: rotation.state.keys.current(host)["fingerprint"] for host in rotation.cluster.key_hosts}
    if len(set(current.values()) - {next_key}) <= 1:
        return []
    keys = ", ".join(f"{host} has {fingerprint}" for host, fingerprint in sorted(current.items()))
    remedy = (
        "Name the host whose key all others must get in slurm_jwt_key_source. Run the playbook hpc.slurm_jwt.rollout; "
        "then rotate."
    )
    return [
        f"The key hosts have different keys: {keys}. No rotation leaves them so. "
        f"{GIVE_UP if rotation.staged_on else remedy}"
    ]
