# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The plans that playbooks and roles read, as slurm_jwt_plan with these members. Private to this collection.

Only the filters in plugins/filter/plans.py turn them into dictionaries.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass
from typing import Any

from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._cluster.cluster import Cluster
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._cluster.openmetrics import OpenMetricsKey


@dataclass(frozen=True)
class RefusedPlan:
    """A run that does not begin."""

    refusals: Sequence[str]
    """All reasons, each with its remedy."""
    left_out: Mapping[str, str]
    """Hosts without a key that cannot take part, with the reason."""
    settings: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """File of the inventory -> variable -> value that the site has to set."""
    settings_text: str = ""
    """The same as YAML, to copy."""
    warnings: Sequence[str] = field(default_factory=list)


@dataclass(frozen=True)
class Loads:
    """The daemons that load a changed key or key set."""

    slurmdbd: Sequence[str]
    """Hosts where it restarts."""
    slurmctld: Mapping[str, str]
    """Host -> "reconfigure" or "restart"."""
    conf: Sequence[str] = field(default_factory=list)
    """Hosts whose slurm.conf changes: none."""


@dataclass(frozen=True)
class OpenMetricsPlan:
    """slurmctld's metrics, which need a token, and the key of these tokens."""

    on: bool
    users: Sequence[str]
    """Who may read them."""
    key_path: Mapping[str, str]
    """Controller -> path of the key."""
    source: str | None
    """The controller whose key the others get."""
    source_changes: bool
    targets: Sequence[str]
    """Controllers that get the key."""
    keys_aside: Sequence[str]
    """Controllers whose key is put aside."""


def openmetrics_plan(key: OpenMetricsKey) -> OpenMetricsPlan:
    return OpenMetricsPlan(
        on=key.on,
        users=list(key.cluster.desired.openmetrics_users or ()) if key.on else [],
        key_path={host: key.path_on(host) for host in key.cluster.controllers} if key.on or key.off else {},
        source=key.source,
        source_changes=key.shared.source_changes(),
        targets=key.shared.targets(),
        keys_aside=key.put_aside(),
    )


@dataclass(frozen=True)
class Plan:
    """The members of every plan of a run that begins."""

    warnings: Sequence[str]
    left_out: Mapping[str, str]
    primary: str | None
    """The primary controller; None if --limit leaves out all controllers."""
    standbys: Sequence[str]
    """The other controllers."""
    speaker: str | None
    """The host that prints the run summary."""
    hosts: Sequence[str]
    key_hosts: Sequence[str]
    key_hosts_to_change: Sequence[str]
    hosts_to_change: Sequence[str]
    """Hosts that a failed run may have to put back, in the run summary as well."""
    slurmdbd_hosts: Sequence[str]
    slurmdbd_standbys: Sequence[str]
    slurmrestd_hosts: Sequence[str]
    key_path: Mapping[str, str]
    """Key host -> path of the HS256 key."""
    signing_key: str | None
    """The path of the key that signs tokens of services and of the proof."""
    algorithm: str
    """HS256 or RS256: the algorithm of that key."""
    openmetrics: OpenMetricsPlan | Mapping[str, Any]
    """What happens to the key for metrics. In a rotation the filter adds the members of OpenMetricsRotationPlan."""
    up_to_date: bool
    unseen_by_check: Mapping[str, Sequence[str]]
    """Host -> actions that tasks cannot report in check mode."""
    refusals: Sequence[str] = field(default_factory=list, init=False)
    """Always empty: a run that does not begin has a RefusedPlan."""


def cluster_members(cluster: Cluster) -> dict[str, Any]:
    """The members of a Plan that follow from the cluster alone."""
    return {
        "primary": cluster.primary,
        "standbys": cluster.standby_controllers,
        "key_hosts": cluster.key_hosts,
        "slurmdbd_hosts": cluster.slurmdbd_hosts,
        "slurmdbd_standbys": cluster.standby_slurmdbd_hosts,
        "slurmrestd_hosts": cluster.slurmrestd_hosts,
    }


@dataclass(frozen=True)
class RolloutPlan(Plan):
    """What a rollout or a removal does."""

    outer_hosts: Sequence[str]
    """Hosts without a key that change. They come first. A failed one does not stop the others."""
    conf: Sequence[str]
    """Hosts that edit slurm.conf."""
    dbd_conf: Sequence[str]
    """Hosts that edit slurmdbd.conf."""
    packages: Mapping[str, Sequence[str]]
    """Host -> packages to install."""
    conf_key_path: str | None
    """The path of the key in slurm.conf; None if no daemon loads an HS256 key."""
    hs256: bool
    local_key_changes: bool
    """Whether the local RSA key is created or repaired."""
    jwks_targets: Sequence[str]
    """Key hosts whose key set changes."""
    jwks_distrusts: bool
    """Whether a key host trusts a key that the site distrusts."""
    jwks_daemons: Mapping[str, Sequence[Mapping[str, Any]]]
    """Key host -> daemons that its JWKS timer reloads."""
    keys_aside: Mapping[str, bool]
    """Key hosts whose key a removal puts aside -> whether a configuration file names it."""
    key_sets_aside: Sequence[str]
    """Key hosts whose key set is put aside."""
    tidying_hosts: Sequence[str]
    """Hosts that put keys and key sets aside or remove backups, after everything else has succeeded."""
    tidying: Mapping[str, Sequence[str]]
    """Kind of file -> hosts that remove its backups after a removal."""
    key_source: str | None
    """The host whose key the other key hosts get."""
    key_source_changes: bool
    key_targets: Sequence[str]
    """Key hosts that get the key."""
    folders: Mapping[str, str]
    """Key host -> folder of the key to make."""
    slurmdbd: Sequence[str]
    """Hosts where slurmdbd restarts."""
    slurmctld: Mapping[str, str]
    """Controller -> "reconfigure" or "restart"."""
    key_hosts_up_to_date: bool
    due: Sequence[str]
    """What would change, a sentence for each host."""


@dataclass(frozen=True)
class RotationPlan(Plan):
    """The members of every plan of a rotation."""

    check_mode: bool
    """Whether the steps that need the next key are left out."""
    services: Sequence[str]
    """Hosts of services, which get new tokens. A failed one does not stop the rotation."""
    signer_and_services: Sequence[str]
    rsa_rotation: Sequence[str]
    """Key hosts whose key sets change; none in a rotation of the HS256 key."""
    slurmrestd_dies: Sequence[str]
    """Hosts whose slurmrestd ends when slurmdbd restarts."""
    reason: str | None
    """unfinished, now, serial or max_age; key_set if only key sets change; None if there is nothing to do."""
    serial: str
    run: str
    by: str
    """The user who runs it."""
    take_over: str | None
    """The run whose rotation this one finishes."""
    load: Loads


@dataclass(frozen=True)
class Hs256RotationPlan(RotationPlan):
    """What a rotation of the HS256 key does."""

    tidy_only: bool
    """Whether only next keys of an earlier rotation are left to remove."""
    run_to_end: Mapping[str, str]
    """Key host -> the run whose next key is removed."""
    old: str | None
    """Fingerprint of the key to go back to after a failure."""
    rotating: Sequence[str]
    """Key hosts that get the next key: all or none."""
    new_token_hosts: Sequence[str]
    """Hosts of services whose next tokens are all new, as no earlier run has staged one."""
    swapping_tokens: Sequence[str]
    """Hosts of services whose tokens change at the instant of the swap in place."""
    activating_tokens: Sequence[str]
    """Hosts of services whose tokens change after the daemons have loaded the key."""
    loading: Sequence[str]
    """Key hosts, if daemons have to load the key after a swap by rename."""
    loading_standbys: Sequence[str]
    """Key hosts, if standbys have to load the key after a swap in place."""
    way: str
    """in_place or rename."""
    fallback: Loads
    """The loads if daemons do not see a key that was swapped in place."""
    lead: float
    """Seconds until keys are put back."""
    least_lead: float
    longest_lead: float
    """Limits of the seconds until keys are swapped."""
    clock_lag: float
    """Seconds by which the clock of the primary controller is surely ahead."""


@dataclass(frozen=True)
class RsaRotationPlan(RotationPlan):
    """What a rotation of the local RSA key does."""

    receiving: Sequence[str]
    """The signer and the hosts of services, which get tokens of the next key once it signs."""
    makes_key: bool
    """Whether there is a next key, or only the key sets change."""
    old: str
    """kid of the key that signs when the run begins."""
    old_signs: bool
    """Whether that is the old key: the next one does not sign yet."""
    stale: bool
    """Whether a daemon has not loaded the key set on its disk."""
    jwks_targets: Sequence[str]
    jwks_daemons: Mapping[str, Sequence[Mapping[str, Any]]]


def members_of(plan: Any) -> dict[str, Any]:
    """The members by name, for Jinja."""
    values = {each.name: getattr(plan, each.name) for each in fields(plan)}
    return {name: members_of(value) if is_dataclass(value) else value for name, value in values.items()}
