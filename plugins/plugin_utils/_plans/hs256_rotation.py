# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How far the rotation of an HS256 key has come, and how it continues. Private to this collection.

A rotation begins only on a cluster as a rollout leaves it: every daemon is up, and all key hosts have one key. Or it
continues a rotation that did not finish. The keys on the hosts show how far that one came (see
module_utils/_keys/rotation.py):

    no key host has a next key     no rotation is under way
    the primary has one            that is the next key; key hosts that have it as current key are swapped
    only others have one           that rotation was being finished; only the next keys have to be removed
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._keys.hs256 import MAX_SIZE, MIN_SIZE
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._cluster import clocks
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._cluster.daemons import RESTART as RESTARTS
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._cluster.daemons import primary_load_method
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._cluster.state import ClusterState
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._plans.plan_types import Loads
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._plans.rotation_checks import daemons_of, due_reason
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._plans.rotation_settings import (
    AUTO,
    IN_PLACE,
    RELOAD,
    RotationSettings,
)

# Why a daemon would not see a key that changes in place: it has no shared mapping of the key file.
_NOT_MAPPED = {
    "copied": "has a copy of its own of the key",
    "absent": "has not loaded the key",
    "unknown": "does not let anybody see whether it has the key file mapped",
}

# For a swap at one instant, clocks of hosts may differ by this many seconds. Ansible knows only the least difference.
IN_STEP = 1

# Seconds that a task may take to reach a host. A longer lag is a difference of clocks.
SLOWEST = 15

# Most seconds until a swap. The modules refuse more than 120, which leaves room for clocks that differ.
LONGEST_LEAD = 90


class Hs256Rotation:
    """The rotation of one cluster."""

    def __init__(self, state: ClusterState, settings: RotationSettings) -> None:
        self.state = state
        self.cluster = state.cluster
        self.settings = settings

    def _current(self, host: str) -> Mapping[str, Any]:
        return self.state.keys.current(host)

    # -- how far it has come -----------------------------------------------------------------------------------------

    @property
    def staged_on(self) -> list[str]:
        return [host for host in self.cluster.key_hosts if self._current(host).get("next")]

    @property
    def staged(self) -> Mapping[str, Any] | None:
        """The next key of the primary: the first host to get it and the last to lose it."""
        primary = self.cluster.primary
        return self._current(primary).get("next") if primary else None

    @property
    def staged_anywhere(self) -> Mapping[str, Any] | None:
        """The next key of any host: a run may have staged one since the inspection of the primary."""
        return self.staged or next((self._current(host)["next"] for host in self.staged_on), None)

    @property
    def tidy_only(self) -> bool:
        """Whether only other hosts than the primary still have a next key."""
        return bool(self.staged_on) and self.staged is None

    def run_to_end(self, host: str) -> str:
        """The run under whose name the next key of a host is removed: this one, or the one that left it."""
        staged = self._current(host).get("next") or {}
        return str(staged.get("run") or self.settings.run) if self.tidy_only else self.settings.run

    @property
    def swapped(self) -> list[str]:
        """The key hosts on which the next key is the current key already."""
        staged = self.staged
        fingerprint = staged and staged["fingerprint"]
        return [
            host for host in self.cluster.key_hosts if staged and self._current(host)["fingerprint"] == fingerprint
        ]

    @property
    def old(self) -> str | None:
        """Fingerprint of the key to go back to."""
        waiting = [host for host in self.cluster.key_hosts if host not in self.swapped]
        if waiting:
            return str(self._current(waiting[0])["fingerprint"])
        previous = self._current(self.cluster.key_hosts[0]).get("previous") if self.cluster.key_hosts else None
        return str(previous["fingerprint"]) if previous else None

    @property
    def reason(self) -> str | None:
        """Why there is something to do; None if there is nothing."""
        primary = self.cluster.primary
        if primary is None:
            return None
        return "unfinished" if self.staged_on else due_reason(self._current(primary), self.settings)

    # -- how it swaps the keys ---------------------------------------------------------------------------------------

    @property
    def clocks_apart(self) -> float:
        """Least seconds by which clocks of key hosts differ. It does not matter how long Ansible took to ask them."""
        found = clocks.largest_difference({host: self.cluster.observations[host] for host in self.cluster.key_hosts})
        return max(0.0, found.seconds) if found else 0

    @property
    def clock_lag(self) -> float:
        """Seconds by which the clock of the primary controller is surely ahead; negative if it is behind."""
        primary = self.cluster.primary
        return clocks.surely_ahead(self.cluster.observations[primary]) if primary else 0.0

    @property
    def _lags(self) -> list[tuple[float, float]]:
        """The lag of each key host's clock. Other hosts decide nothing here."""
        lags = [clocks.lag(self.cluster.observations[host]) for host in self.cluster.key_hosts]
        return [lag for lag in lags if lag is not None]

    def against_in_place(self) -> list[str]:
        """Why the keys cannot be swapped in place, as far as the observations show."""
        reasons = [
            f"{component} on {host} {_NOT_MAPPED[daemon['key_loaded']]}, so it would not see a key that changes in "
            "place"
            for host, component, daemon in daemons_of(self.cluster)
            if daemon["key_loaded"] in _NOT_MAPPED and not self._is_standby(host, component)
        ]
        keys = [self._current(host) for host in self.cluster.key_hosts]
        sizes = {int(key["size"]) for key in keys if key.get("size") is not None}
        reasons += [
            f"the current key has {size} bytes and a new one has {MIN_SIZE} to {MAX_SIZE}, and a file that "
            "daemons have mapped cannot change its length"
            for size in sorted(sizes)
            if not MIN_SIZE <= size <= MAX_SIZE
        ]
        if self.clocks_apart > IN_STEP:
            reasons.append(f"the clocks of the hosts that would swap are about {self.clocks_apart:.0f} s apart")
        behind = [
            f"{component} on {host}"
            for host, component, daemon in daemons_of(self.cluster)
            if daemon["key_loaded"] == "replaced"
        ]
        if behind:
            reasons.append(f"{' and '.join(behind)} holds a key file that is no longer there")
        return reasons

    def _is_standby(self, host: str, component: str) -> bool:
        """Whether this daemon answers no requests now. It restarts after the swap, or loads the key when it takes
        over."""
        cluster = self.cluster
        return host in (cluster.standby_controllers if component == "slurmctld" else cluster.standby_slurmdbd_hosts)

    @property
    def method(self) -> str:
        if self.settings.method != AUTO:
            return self.settings.method
        return RELOAD if self.against_in_place() else IN_PLACE

    def loads(self, method: str) -> Loads:
        """The daemons that have to load the key after the swap."""
        cluster = self.cluster
        slurmctld = dict.fromkeys(cluster.standby_controllers, RESTARTS)
        if method == IN_PLACE:
            return Loads(cluster.standby_slurmdbd_hosts, slurmctld)
        if cluster.primary is not None:
            observed = cluster.observations[cluster.primary]
            slurmctld[cluster.primary] = primary_load_method(observed) if method == RELOAD else RESTARTS
        return Loads(list(cluster.slurmdbd_hosts), slurmctld)

    @property
    def _start(self) -> float:
        """Seconds that a task takes to reach a host: as long as the inspection took."""
        return min(max([0.5, *(most for _least, most in self._lags)]), SLOWEST)

    def _batches(self, hosts: Sequence[str]) -> int:
        return math.ceil(len(hosts) / max(1, self.settings.forks))

    @property
    def lead(self) -> float:
        """Seconds until keys and tokens are put back. By then a task must have started on every host.

        Tasks of key hosts and of tokens wait in the background, so each batch of forks only starts them. A batch gets
        twice the time that the inspection took to start. A host whose task starts late swaps at once.
        """
        told = self._batches(self.cluster.key_hosts) + self._batches(self.settings.token_hosts)
        return min(2.5 + 2 * self._start * told, LONGEST_LEAD)

    @property
    def least_lead(self) -> float:
        """Seconds until the swap, plus twice the time that it took to sign the next tokens and to send them to their
        hosts. To start tasks on key hosts and hosts of services takes as long, and a task in the background
        starts after Ansible has gone on.
        """
        if self.settings.token_hosts:
            return 1.5
        return min(1.5 + 2 * self._start * self._batches(self.cluster.key_hosts), LONGEST_LEAD)

    @property
    def longest_lead(self) -> float:
        """The limit of the lead. A slow host of services must not delay a swap without end."""
        told = self._batches(self.cluster.key_hosts) + self._batches(self.settings.token_hosts)
        return min(1.5 + 2 * SLOWEST * told, LONGEST_LEAD)
