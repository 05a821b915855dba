# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a key rotation has to do, decided once from a look at every host. Private to this collection.

A rotation begins only on a cluster that is as a rollout leaves it: every daemon up, with the one key that every key
host has. Or it goes on with a rotation that did not come to its end. How far that one came is read from the keys on the
hosts (see module_utils/_keys/rotation.py) and never guessed:

    no key host has a staged key                      no rotation is under way
    the primary has one                             its key is the next key; key hosts that have it in force are swapped
    only others have one                            it was being tidied up; nothing but that is left to do
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._keys.hs256 import MAX_SIZE, MIN_SIZE
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._timers.token_refresh import LONGEST_ROTATION
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._cluster import current_state, desired_state, inspections
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._plans import preflight

AUTO, RELOAD, RESTART, IN_PLACE = "auto", "reload", "restart", "in_place"
# What a daemon has in the place of a mapping of the key file that it shares with whoever writes there.
_NOT_MAPPED = {
    "copied": "has a copy of its own of the key",
    "absent": "has not loaded the key",
    "unknown": "does not let anybody see whether it has the key file mapped",
}

# Seconds by which the clocks of two hosts may differ, as far as that can be told through Ansible, before a swap at one
# instant is none any more.
IN_STEP = 2

# Seconds that a host may take to be told something; more of it is not the way, but another clock.
SLOWEST = 15

# Seconds that a swap may lie ahead. The modules refuse 120, which leaves room for clocks that differ.
LONGEST_LEAD = 90

# What is told of a rotation on a cluster that is not as declared: first things first.
_ROLLOUT = "Run the playbook hpc.slurm_jwt.rollout first, which mends that; then rotate."

# The same in the middle of a rotation, where a rollout refuses to begin.
_MEND = "A rotation is under way, so mend that by hand; then run this again, which finishes it."
_GIVE_UP = (
    "A rotation is under way, and cannot go on so. Give it up with hpc.slurm_jwt.slurm_jwt_key, state: unstaged, on "
    "every key host; then run the playbook hpc.slurm_jwt.rollout, with slurm_jwt_key_source naming the host whose key "
    "is to be everybody's."
)


class RotationSettings(NamedTuple):
    """What the site declares of its key and how the playbook was called."""

    serial: str = ""
    max_age: int | None = None
    now: bool = False
    method: str = AUTO
    take_over: bool = False
    run: str = ""
    forks: int = 5
    token_hosts: Sequence[str] = ()


class Rotation:
    """One cluster's rotation, as far as it has come."""

    def __init__(self, cluster: current_state.Cluster, settings: RotationSettings) -> None:
        self.cluster = cluster
        self.settings = settings

    def _look(self, host: str) -> desired_state.Look:
        return self.cluster.looks[host]

    def _key(self, host: str) -> Mapping[str, Any]:
        return self.cluster.key(host)

    @property
    def staged_on(self) -> list[str]:
        return [host for host in self.cluster.key_hosts if self._key(host).get("next")]

    @property
    def staged(self) -> Mapping[str, Any] | None:
        """The next key as the primary has it: the first host to get it and the last to lose it."""
        primary = self.cluster.primary
        return self._key(primary).get("next") if primary else None

    @property
    def staged_anywhere(self) -> Mapping[str, Any] | None:
        """The next key of whoever has one: a run may have staged its own since the primary was looked at."""
        return self.staged or next((self._key(host)["next"] for host in self.staged_on), None)

    @property
    def tidy_only(self) -> bool:
        """Whether nothing is left of a rotation but staged keys that the primary does not have any more."""
        return bool(self.staged_on) and self.staged is None

    def run_to_end(self, host: str) -> str:
        """The name under which the host's staged key is taken away: this run's, or that of the run that left it."""
        staged = self._key(host).get("next") or {}
        return str(staged.get("run") or self.settings.run) if self.tidy_only else self.settings.run

    @property
    def swapped(self) -> list[str]:
        """The key hosts on which the staged key is in force already."""
        staged = self.staged
        wanted = staged and staged["fingerprint"]
        return [host for host in self.cluster.key_hosts if staged and self._key(host)["fingerprint"] == wanted]

    @property
    def old(self) -> str | None:
        """Fingerprint of the key to go back to."""
        waiting = [host for host in self.cluster.key_hosts if host not in self.swapped]
        if waiting:
            return str(self._key(waiting[0])["fingerprint"])
        previous = self._key(self.cluster.key_hosts[0]).get("previous") if self.cluster.key_hosts else None
        return str(previous["fingerprint"]) if previous else None

    @property
    def reason(self) -> str | None:
        """Why there is something to do; None if there is not."""
        primary = self.cluster.primary
        if primary is None:
            return None
        if self.staged_on:
            return "unfinished"
        key = self._key(primary)
        if self.settings.now:
            return "now"
        if self.settings.serial and key.get("serial") != self.settings.serial:
            return "serial"
        if self.settings.max_age is not None and (key.get("age") or 0) >= self.settings.max_age:
            return "max_age"
        return None

    # -- how ---------------------------------------------------------------------------------------------------------

    @property
    def clocks_apart(self) -> float:
        """Seconds between the clocks of any two hosts of the swap; the way through Ansible is in it, too."""
        return max(self._lags) - min(self._lags) if self._lags else 0

    @property
    def _lags(self) -> list[float]:
        """Seconds by which the clock of each host with a key seems ahead. What others say of theirs decides nothing."""
        lags = [self._look(host).get("clock_lag") for host in self.cluster.key_hosts]
        return [lag for lag in lags if lag is not None]

    def against_in_place(self) -> list[str]:
        """Why the keys are not to be swapped in place, as far as it can be seen beforehand."""
        reasons = [
            f"{component} on {host} {_NOT_MAPPED[daemon['key_loaded']]}, "
            "so it would not see a key that changes in place"
            for host, component, daemon in daemons(self.cluster)
            if daemon["key_loaded"] in _NOT_MAPPED and not self._stands_by(host, component)
        ]
        keys = [self._key(host) for host in self.cluster.key_hosts]
        sizes = {int(key["size"]) for key in keys if key.get("size") is not None}
        reasons += [
            f"the key in force has {size} bytes and a new one has {MIN_SIZE} to {MAX_SIZE}, and a file that "
            "daemons have mapped cannot change its length"
            for size in sorted(sizes)
            if not MIN_SIZE <= size <= MAX_SIZE
        ]
        if self.clocks_apart > IN_STEP:
            reasons.append(f"the clocks of the hosts that would swap are about {self.clocks_apart:.0f} s apart")
        behind = [
            f"{component} on {host}"
            for host, component, daemon in daemons(self.cluster)
            if daemon["key_loaded"] == "replaced"
        ]
        if behind:
            reasons.append(f"{' and '.join(behind)} holds a key file that is no longer there")
        return reasons

    def _stands_by(self, host: str, component: str) -> bool:
        """Whether this daemon answers nobody now. After the swap it is restarted, or loads the key to take over."""
        others = self.cluster.controllers[1:] if component == "slurmctld" else self.cluster.standby_dbds
        return host in others

    @property
    def method(self) -> str:
        if self.settings.method != AUTO:
            return self.settings.method
        return RELOAD if self.against_in_place() else IN_PLACE

    def loads(self, method: str) -> dict[str, Any]:
        """Who has to load the key after the swap, and how, in the words of a rollout's plan."""
        primary, standbys = self.cluster.primary, self.cluster.controllers[1:]
        slurmctld = dict.fromkeys(standbys, "restart")
        if method == IN_PLACE:
            return {"slurmdbd": self.cluster.standby_dbds, "slurmctld": slurmctld, "conf": []}
        if primary is not None:
            reloads = method == RELOAD and self._look(primary)["capabilities"].get("reconfigure_reloads_auth")
            slurmctld[primary] = "reconfigure" if reloads else "restart"
        return {"slurmdbd": list(self.cluster.dbds), "slurmctld": slurmctld, "conf": []}

    @property
    def lead(self) -> float:
        """Seconds from the word to the instant of the swap, until when every host must have been told.

        The key hosts' tasks wait in the background, and so do those of the tokens, so each batch of forks is only told.
        How long telling takes is what the looks took, and a multiple of it, as a job in the background starts Python
        several times. A slow machine gets a late instant rather than one that some hosts miss.
        """
        batches = [math.ceil(len(hosts) / max(1, self.settings.forks)) for hosts in self._told]
        telling = min(max([0.5, *self._lags]), SLOWEST)
        return min(3 + telling * (2 + 3 * sum(batches)), LONGEST_LEAD)

    @property
    def _told(self) -> list[Sequence[str]]:
        return [self.cluster.key_hosts, self.settings.token_hosts]


# -- what any rotation asks of a cluster -------------------------------------------------------------------------------


def daemons(cluster: current_state.Cluster) -> list[tuple[str, str, Mapping[str, Any]]]:
    """Host, component and state of every daemon that checks tokens."""
    return [
        (host, component, cluster.looks[host]["daemons"][component])
        for hosts, component in ((cluster.controllers, "slurmctld"), (cluster.dbds, "slurmdbd"))
        for host in hosts
        if component in cluster.looks[host]["daemons"]
    ]


def daemons_down(cluster: current_state.Cluster) -> list[str]:
    return [
        f"{host}: {component} is {daemon['active'] or 'not there'}"
        for host, component, daemon in daemons(cluster)
        if daemon["active"] not in ("active", "reloading")
    ]


def drift(cluster: current_state.Cluster) -> list[str]:
    """The files that a rollout would change."""
    return [
        *(f"{host}: slurm.conf is not as declared" for host in cluster.key_hosts if cluster.conf_differs(host)),
        *(f"{host}: slurmdbd.conf is not as declared" for host in cluster.dbds if cluster.dbd_conf_differs(host)),
    ]


def slurmrestd_dies(cluster: current_state.Cluster) -> list[str]:
    """The hosts whose slurmrestd ends when slurmdbd is restarted."""
    return [
        host
        for host in cluster.restds
        if not cluster.looks[host]["capabilities"].get("slurmrestd_survives_slurmdbd_restart", True)
    ]


def at_work(
    staged: Mapping[str, Any] | None, settings: RotationSettings, is_dead: Callable[[str], bool | None]
) -> list[str]:
    """Another run that lives, or of which that cannot be told. One that has died is gone on with."""
    run = staged.get("run") if staged else None
    if not staged or not run or run == settings.run or settings.take_over:
        return []
    dead = is_dead(run)
    if dead or (dead is None and staged["run_age"] >= LONGEST_ROTATION):
        return []
    who = f"{staged['by'] or 'Somebody'} has been rotating the key since {staged['created']}, as the run {run}"
    if dead is None:
        return [
            f"{who}. Whether that run lives cannot be told from here. If it has died, go on with it by --extra-vars "
            f"slurm_jwt_rotation_take_over=true, or run this again in {LONGEST_ROTATION - staged['run_age']} s."
        ]
    return [f"{who}, and is at work. Wait until that is done, and run this again."]


def no_word(settings: RotationSettings) -> list[str]:
    """The site has to say which key it wants."""
    if settings.serial or settings.max_age is not None or settings.now:
        return []
    return [
        "Nothing says which key the site wants. Declare slurm_jwt_key_serial (any label; a new one rotates once) or "
        "slurm_jwt_key_max_age (such as 90d), or rotate at once with --extra-vars slurm_jwt_rotate_now=true."
    ]


# -- what is refused ---------------------------------------------------------------------------------------------------


def refusals(rotation: Rotation, is_dead: Callable[[str], bool | None]) -> list[str]:
    """Every reason not to begin, beyond those that no run begins with."""
    if rotation.cluster.primary is None:
        return ["There is no controller in this play, so there is no key to rotate. Leave --limit out."]
    return (
        at_work(rotation.staged_anywhere, rotation.settings, is_dead)
        or _not_as_declared(rotation)
        or _daemons_down(rotation)
        or _keys(rotation)
        or ([] if rotation.staged_on else no_word(rotation.settings))
    )


def _not_as_declared(rotation: Rotation) -> list[str]:
    cluster = rotation.cluster
    keyless = [f"{host}: has no key" for host in cluster.key_hosts if not cluster.key(host)["exists"]]
    lacking = [f"{host}: lacks packages" for host in cluster.key_hosts if cluster.packages(host)]
    if rotation.staged_on:
        # What the files lack is for the next rollout. It waits for the end of this rotation, which needs but these.
        remedies = [_MEND] if lacking else [_GIVE_UP] if keyless else []
        return [*lacking, *keyless, *remedies]
    found = [*drift(rotation.cluster), *lacking, *keyless]
    return [*found, _ROLLOUT] if found else []


def _daemons_down(rotation: Rotation) -> list[str]:
    """A daemon that is down or has another key than the disk has, unless that is what a rotation left half done."""
    down = daemons_down(rotation.cluster)
    behind = [
        f"{host}: {component} has not loaded the key that is on its disk"
        for host, component, daemon in daemons(rotation.cluster)
        if daemon["key_loaded"] in ("absent", "replaced") and not rotation.staged_on
    ]
    remedy = _MEND if rotation.staged_on else _ROLLOUT
    return [*down, *behind, remedy] if down or behind else []


def _keys(rotation: Rotation) -> list[str]:
    """The key hosts must have one key, or during a rotation that key or the next one."""
    key_hosts = rotation.cluster.key_hosts
    next_key = rotation.staged["fingerprint"] if rotation.staged else None
    found = {host: rotation.cluster.key(host)["fingerprint"] for host in key_hosts}
    if len(set(found.values()) - {next_key}) > 1:
        keys = ", ".join(f"{host} has {fingerprint}" for host, fingerprint in sorted(found.items()))
        remedy = f"Name the host whose key is to be everybody's in slurm_jwt_key_source. {_ROLLOUT}"
        return [
            f"The key hosts have different keys: {keys}. No rotation leaves them so. "
            f"{_GIVE_UP if rotation.staged_on else remedy}"
        ]
    return []


# -- the plan ----------------------------------------------------------------------------------------------------------


def plan(
    looks: Mapping[str, desired_state.Look],
    components: Mapping[str, Sequence[str]],
    in_play: Sequence[str],
    settings: RotationSettings,
    is_dead: Callable[[str], bool | None],
) -> dict[str, Any]:
    """All that the rotation's tasks ask, in plain lists and dictionaries."""
    everybody = looks = {host: looks[host] for host in in_play}
    without = inspections.left_out(looks, components, unreachable_too=True)
    looks = {host: look for host, look in looks.items() if host not in without}
    cluster = current_state.Cluster(looks, components, desired_state.Desired())
    no = preflight.reasons_for_no_run(cluster, looks, components, in_play)
    rotation = Rotation(cluster, settings)
    no = no or refusals(rotation, is_dead)
    if no:
        return inspections.refused(no, without, everybody, components)
    reason = rotation.reason
    services = [host for host in settings.token_hosts if host not in without] if reason else []
    hosts = list(dict.fromkeys([*cluster.key_hosts, *cluster.restds, *services]))
    return {
        "refusals": [],
        "warnings": _warnings(rotation) if reason else [],
        "left_out": without,
        "algorithm": "HS256",
        "primary": cluster.primary,
        "speaker": cluster.primary,
        "standbys": cluster.controllers[1:],
        "key_hosts": cluster.key_hosts,
        "hosts": [*cluster.key_hosts, *(host for host in cluster.restds if host not in cluster.key_hosts)],
        "key_hosts_to_change": cluster.key_hosts if reason else [],
        # Each for itself: none of them stops the rotation.
        "services": services,
        "signer_and_services": list(dict.fromkeys([cluster.primary, *services])) if services else [],
        "rsa_rotation": [],
        "hosts_to_change": hosts if reason else [],
        "key_path": {host: cluster.key_path_of(host) for host in cluster.key_hosts},
        "signing_key": cluster.key_path,
        "slurmdbd_hosts": cluster.dbds,
        "slurmdbd_standbys": cluster.standby_dbds,
        "slurmrestd_hosts": cluster.restds,
        "slurmrestd_dies": slurmrestd_dies(cluster) if reason else [],
        "reason": reason,
        "tidy_only": rotation.tidy_only,
        # A rotation that is under way is finished as it was begun; the site's newer wish is the next run's.
        "serial": (rotation.staged or {}).get("serial") or "" if rotation.staged else settings.serial,
        "run": settings.run,
        "run_to_end": {host: rotation.run_to_end(host) for host in cluster.key_hosts},
        "take_over": (rotation.staged or {}).get("run"),
        "old": rotation.old,
        "method": rotation.method,
        "way": "in_place" if rotation.method == IN_PLACE else "rename",
        "load": rotation.loads(rotation.method),
        "fallback": rotation.loads(RELOAD),
        "lead": rotation.lead,
        "clock_lag": looks[cluster.primary].get("clock_lag") or 0 if cluster.primary else 0,
        "up_to_date": not reason,
        "unseen_by_check": _unseen_by_check(rotation) if reason else {},
    }


def _unseen_by_check(rotation: Rotation) -> dict[str, list[str]]:
    if rotation.tidy_only:
        return {host: ["staged key taken away"] for host in rotation.staged_on}
    return {host: ["key rotated"] for host in rotation.cluster.key_hosts}


def _warnings(rotation: Rotation) -> list[str]:
    if rotation.tidy_only:
        where = ", ".join(rotation.staged_on)
        return [f"An earlier rotation has left its staged key on {where}. It is taken away, and no key is rotated."]
    notes = []
    if rotation.settings.method == AUTO and rotation.method != IN_PLACE:
        reasons = "; ".join(rotation.against_in_place())
        notes.append(
            f"The key is not swapped in place, because {reasons}. Daemons load it one after the other, and requests "
            "that fall between two of them are refused."
        )
    staged = rotation.staged
    if staged:
        where = f"{len(rotation.swapped)} of {len(rotation.cluster.key_hosts)} key hosts had the new key"
        notes.append(
            f"{staged['by'] or 'Somebody'} began this rotation at {staged['created']} and did not finish it ({where}). "
            "It is finished now."
        )
        notes += [f"{found}. Run the playbook hpc.slurm_jwt.rollout afterwards." for found in drift(rotation.cluster)]
    return notes
