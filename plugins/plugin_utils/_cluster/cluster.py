# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which inspected host has which component, and what the site declares. Private to this collection."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._cluster import missing_packages
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._cluster.desired_state import Desired, Observed
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._cluster.inspections import failed, short
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._cluster.unreachable_hosts import unreachable
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._inventory.inventory_hosts import COMPONENTS


class Cluster:
    """The hosts of a cluster that answered, by component."""

    def __init__(
        self, observations: Mapping[str, Observed], components: Mapping[str, Sequence[str]], desired: Desired
    ) -> None:
        answered = {host: seen for host, seen in observations.items() if not unreachable(seen) and not failed(seen)}
        servers = {host for name, hosts in components.items() if name != "node" for host in hosts}
        self.observations = {host: _without_unread_files(seen, host in servers) for host, seen in answered.items()}
        self.desired = desired
        self.controllers = sorted(self._inspected(components["slurmctld"]), key=self._position_in_slurm_conf)
        self.slurmdbd_hosts = self._inspected(components["slurmdbd"])
        self.slurmrestd_hosts = self._inspected(components["slurmrestd"])
        # In the order in which their files change: slurmctld must never read the slurm.conf of another host.
        self.servers = list(dict.fromkeys(self.slurmrestd_hosts + self.slurmdbd_hosts + self.controllers[::-1]))
        self.nodes = [host for host in self._inspected(components["node"]) if host not in self.servers]

    def _inspected(self, hosts: Iterable[str]) -> list[str]:
        return [host for host in hosts if host in self.observations]

    def _position_in_slurm_conf(self, host: str) -> int:
        """The primary controller is the first SlurmctldHost, not the first in the inventory."""
        conf = self.observations[host]["conf"]
        if conf is None:
            return 0
        names = [short(controller["name"]) for controller in conf["controllers"]]
        index = conf["controller_index"]
        if index is not None:
            return int(index)
        return names.index(short(host)) if short(host) in names else len(names)

    @property
    def primary(self) -> str | None:
        return self.controllers[0] if self.controllers else None

    @property
    def standby_controllers(self) -> list[str]:
        return self.controllers[1:]

    @property
    def standby_slurmdbd_hosts(self) -> list[str]:
        """The hosts whose slurmdbd is a standby: it does not listen until the slurmdbd of DbdHost is down."""
        return [host for host in self.slurmdbd_hosts if (self.observations[host]["dbd_conf"] or {}).get("standby")]

    @property
    def key_hosts(self) -> list[str]:
        """The hosts that have the signing key: those whose daemons check tokens, and no others."""
        return list(dict.fromkeys(self.controllers + self.slurmdbd_hosts))

    @property
    def keyless_hosts(self) -> list[str]:
        return [host for host in [*self.nodes, *self.servers] if host not in self.key_hosts]

    def slurm_user(self, host: str) -> Mapping[str, Any]:
        """Name and group of the user who owns the key."""
        return self.observations[host]["slurm_user"] or {"name": "root", "group": "root"}

    def packages(self, host: str) -> list[str]:
        """NAME=VERSION of the packages that bring a missing auth_jwt.so, and PyJWT where tokens are signed."""
        if self.desired.removing:
            return []
        signs = host == self.primary
        # The proof presents forged RS256 tokens.
        return missing_packages.missing(self.observations[host], signs, signs and bool(self.desired.trust.jwks))


def controllers_only(observations: Mapping[str, Observed]) -> Cluster:
    """The controllers of a cluster, to find the primary one."""
    components: dict[str, Sequence[str]] = {component: [] for component in COMPONENTS}
    return Cluster(observations, {**components, "slurmctld": list(observations)}, Desired())


def _without_unread_files(observed: Observed, is_server: bool) -> Observed:
    """The observation with None for a configuration file that is missing or broken.

    A problem of the host says which of the two. The observation of such a file has little more than its path. A
    server's file needs all members, a node's file only those of minimal=true.
    """
    whole = {"conf": "controllers", "dbd_conf": "dbd_port"}
    files = whole if is_server else dict.fromkeys(whole, "auth_alt_parameters")
    unread = [name for name, member in files.items() if observed.get(name) is not None and member not in observed[name]]
    return {**observed, **dict.fromkeys(unread)} if unread else observed
