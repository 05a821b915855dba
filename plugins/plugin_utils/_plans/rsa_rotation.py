# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a rotation of the site's own RSA key has to do, decided once from a look at every host. Private to this
collection.

Slurm trusts many RS256 keys at once, so the old and the new one overlap and nobody is refused:

    the next key is made beside the one that signs        KEY.next on the primary controller
    its public half is published                          in the key set of every key host; every daemon has loaded that
    it signs                                              KEY is KEY.next, and services have tokens of it
    the old public half is withdrawn                      it stays in the key sets for as long as its tokens live
    it is gone                                            by the timer that follows key sets, or by a later run

Each step is seen from the files, so that whatever run comes next goes on from there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._cluster import (
    current_state,
    desired_state,
    inspections,
    trusted_keys,
)
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._plans import hs256_rotation, preflight

_NOT_ROLLED_OUT = "Run the playbook hpc.slurm_jwt.rollout first, which mends that; then rotate."


class RsaRotation:
    """One cluster's rotation with rotation, as far as it has come. KEY is the look at the site's own RSA key."""

    def __init__(
        self, cluster: current_state.Cluster, key: Mapping[str, Any], settings: hs256_rotation.RotationSettings
    ) -> None:
        self.cluster = cluster
        self.key = key
        self.settings = settings

    @property
    def staged(self) -> Mapping[str, Any] | None:
        """The next key, as a rotation's refusals ask of it."""
        if not self.key.get("next_fingerprint"):
            return None
        return {name: self.key[f"next_{name}"] for name in ("fingerprint", "created", "serial", "by", "run", "run_age")}

    @property
    def signs(self) -> bool:
        """Whether the next key signs already, so that what is left is to withdraw the old one."""
        return self.staged is not None and self.key["fingerprint"] == self.key["next_fingerprint"]

    @property
    def reason(self) -> str | None:
        """Why there is something to do; None if there is not. "key_set": only the key sets have to follow."""
        if self.staged:
            return "unfinished"
        if self.settings.now:
            return "now"
        if self.settings.serial and self.key.get("serial") != self.settings.serial:
            return "serial"
        if self.settings.max_age is not None and (self.key.get("age") or 0) >= self.settings.max_age:
            return "max_age"
        return "key_set" if self.differing or self.stale else None

    @property
    def differing(self) -> list[str]:
        """The key hosts whose key set is not as its sources have it, such as one with a key whose time is over."""
        return self.cluster.jwks_targets()

    @property
    def stale(self) -> list[str]:
        """Key hosts with a daemon that has not loaded what is on its disk: an earlier run died before it told it."""
        return [host for host, _component, daemon in hs256_rotation.daemons(self.cluster) if daemon["stale"]]

    @property
    def withdrawn(self) -> list[dict[str, Any]]:
        """The keys that stay trusted until their last token has run out, as the primary has it."""
        primary = self.cluster.primary
        trust = (self.cluster.looks[primary].get("trust") or {}) if primary else {}
        return list(trust.get("retired") or ())

    @property
    def loads(self) -> dict[str, Any]:
        """Who has to load a key set that has changed, and how, in the words of a rollout's plan."""
        cluster = self.cluster
        slurmctld = {host: cluster.way_to_load(host) for host in cluster.controllers}
        return {"slurmdbd": list(cluster.dbds), "slurmctld": slurmctld, "conf": []}


def refusals(rotation: RsaRotation, is_dead: Callable[[str], bool | None]) -> list[str]:
    """Every reason not to begin, beyond those that no run begins with."""
    cluster = rotation.cluster
    if cluster.primary is None:
        return ["There is no controller in this play, so there is no key to rotate. Leave --limit out."]
    return (
        _no_key(cluster.desired.trust)
        or trusted_keys.refusals(cluster.desired.trust, cluster.looks, cluster.key_hosts)
        or hs256_rotation.at_work(rotation.staged, rotation.settings, is_dead)
        or _not_as_declared(rotation)
        or _no_word(rotation)
    )


def _no_key(trust: trusted_keys.Trust) -> list[str]:
    if trust.local_key.path:
        return []
    return [
        "No token of this cluster is signed with a key of the site's own: HS256 does not sign, and "
        "slurm_jwt_rs256_key_path is empty. Identity providers rotate their keys themselves, and "
        "hpc.slurm_jwt.rollout follows them."
    ]


def _not_as_declared(rotation: RsaRotation) -> list[str]:
    cluster, path = rotation.cluster, rotation.cluster.desired.trust.local_key.path
    found = [*hs256_rotation.drift(cluster), *hs256_rotation.daemons_down(cluster)]
    found += [f"{host}: lacks packages" for host in cluster.key_hosts if cluster.packages(host)]
    public = rotation.key.get("public_jwk")
    if not public:
        found.append(f"{cluster.primary}: there is no RSA key at {path}")
    else:
        added = {host: (cluster.looks[host].get("trust") or {}).get("added") or () for host in cluster.key_hosts}
        found += [f"{host}: does not trust the key at {path} yet" for host in added if public["kid"] in added[host]]
    return [*found, _NOT_ROLLED_OUT] if found else []


def _no_word(rotation: RsaRotation) -> list[str]:
    return [] if rotation.reason else hs256_rotation.no_word(rotation.settings)


def plan(
    looks: Mapping[str, desired_state.Look],
    components: Mapping[str, Sequence[str]],
    in_play: Sequence[str],
    settings: hs256_rotation.RotationSettings,
    trust: trusted_keys.Trust,
    key: Mapping[str, Any],
    is_dead: Callable[[str], bool | None],
) -> dict[str, Any]:
    """All that the tasks of a rotation with overlap ask, in plain lists and dictionaries."""
    looks = {host: looks[host] for host in in_play}
    without = inspections.left_out(looks, components, unreachable_too=True)
    looks = {host: look for host, look in looks.items() if host not in without}
    cluster = current_state.Cluster(looks, components, desired_state.Desired(trust=trust))
    rotation = RsaRotation(cluster, key, settings)
    no = preflight.reasons_for_no_run(cluster, looks, components, in_play) or refusals(rotation, is_dead)
    if no:
        return {"refusals": no, "warnings": [], "left_out": without}
    reason, staged = rotation.reason, rotation.staged
    hosts = list(dict.fromkeys([*cluster.key_hosts, *cluster.restds]))
    makes_key = reason not in (None, "key_set")
    services = [host for host in settings.token_hosts if host not in without] if makes_key else []
    return {
        "refusals": [],
        "warnings": _warnings(rotation) if reason else [],
        "left_out": without,
        "algorithm": "RS256",
        "primary": cluster.primary,
        "speaker": cluster.primary,
        "standbys": cluster.controllers[1:],
        "key_hosts": cluster.key_hosts,
        "hosts": hosts,
        "key_hosts_to_change": [],
        "rsa_rotation": cluster.key_hosts if reason else [],
        # Those of a swap; here tokens come when the next key signs, and until then the old ones are good.
        "services": [],
        "signer_and_services": [],
        "receiving": list(dict.fromkeys([cluster.primary, *services])) if services else [],
        "hosts_to_change": hosts if reason else [],
        "signing_key": trust.local_key.path,
        "slurmdbd_hosts": cluster.dbds,
        "slurmdbd_standbys": cluster.standby_dbds,
        "slurmrestd_hosts": cluster.restds,
        "slurmrestd_dies": hs256_rotation.slurmrestd_dies(cluster) if reason else [],
        "reason": reason,
        # What only follows the sources signs with no other key.
        "makes_key": makes_key,
        "serial": (staged["serial"] or "") if staged else settings.serial,
        "run": settings.run,
        "take_over": staged["run"] if staged else None,
        "old": key["public_jwk"]["kid"],
        "old_signs": not rotation.signs,
        "stale": bool(rotation.stale),
        "load": rotation.loads,
        "jwks_targets": cluster.key_hosts if reason else [],
        "jwks_daemons": {host: cluster.jwks_daemons(host) for host in cluster.key_hosts},
        "withdrawn": rotation.withdrawn,
        "up_to_date": not reason,
        "unseen_by_check": _unseen_by_check(rotation),
    }


def _unseen_by_check(rotation: RsaRotation) -> dict[str, list[str]]:
    if rotation.reason is None:
        return {}
    return {host: ["key set changed, daemons load it"] for host in rotation.cluster.key_hosts}


def _warnings(rotation: RsaRotation) -> list[str]:
    staged = rotation.staged
    if staged is None:
        return []
    how_far = "it signs already" if rotation.signs else "it did not sign yet"
    return [
        f"{staged['by'] or 'Somebody'} began this rotation at {staged['created']} and did not finish it: the next key "
        f"was made, and {how_far}. It is finished now."
    ]
