# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The key of the tokens that may read slurmctld's metrics: which controllers have it, and where a rollout changes it.
Private to this collection.

Only controllers have this key: slurmdbd serves no metrics.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._cluster.cluster import Cluster
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._cluster.shared_key import NO_KEY, SharedKey


class OpenMetricsKey:
    """The key for metrics of one cluster, current and desired."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        users = cluster.desired.openmetrics_users
        self.on = bool(users) and not cluster.desired.removing
        self.off = users is not None and not self.on

    def _observed(self, host: str) -> Mapping[str, Any]:
        return self.cluster.observations[host].get("openmetrics") or {}

    def current(self, host: str) -> Mapping[str, Any]:
        return self._observed(host).get("key") or NO_KEY

    def path_on(self, host: str) -> str:
        return str(self._observed(host).get("key_path") or "")

    @property
    def source(self) -> str | None:
        """The controller whose key the others get: one that has a key, or the primary, which makes it."""
        if not self.on:
            return None
        having = [host for host in self.cluster.controllers if self.current(host)["exists"]]
        return next(iter(having), self.cluster.primary)

    @property
    def shared(self) -> SharedKey:
        return SharedKey(self.cluster, self.cluster.controllers, self.current, self.source)

    def changing(self) -> list[str]:
        """The controllers whose key for metrics changes."""
        return [*self.shared.changing(), *self.put_aside()]

    def not_loaded(self, host: str) -> bool:
        """Whether slurmctld runs with another key than the one in force on its disk."""
        observed = self._observed(host)
        in_force = observed.get("in_force") is not None and observed.get("in_force") == observed.get("key_path")
        return self.on and in_force and observed.get("key_loaded") in ("absent", "replaced")

    def put_aside(self) -> list[str]:
        """The controllers whose key is put aside: metrics are switched off. A file that is possibly not a key stays."""
        if not self.off:
            return []
        return [
            host
            for host in self.cluster.controllers
            if self.current(host)["exists"]
            and self.current(host)["fingerprint"]
            # Not if another key is in force, which this collection has not set up.
            and self._observed(host).get("in_force") in (None, self.path_on(host))
        ]
