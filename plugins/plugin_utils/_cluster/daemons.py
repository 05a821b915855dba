# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The daemons of a cluster: which have to load a file or a key, and how. Private to this collection."""

from __future__ import annotations

from typing import Any

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._slurm import command_line
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._cluster.cluster import Cluster
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._cluster.conf_files import ConfFiles
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._cluster.desired_state import Observed
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._cluster.keys import Keys
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._cluster.openmetrics import OpenMetricsKey

RUNNING = ("active", "reloading")
RECONFIGURE, RESTART = "reconfigure", "restart"


def primary_load_method(observed: Observed) -> str:
    """How the running slurmctld of the primary controller loads changed keys: RECONFIGURE or RESTART."""
    # Before 23.11 slurmctld reads keys only when it starts.
    reloads = observed["capabilities"].get("reconfigure_reloads_auth", False)
    # With -D the new process replaces the old one, so no slurmctld is left if the new one dies.
    in_foreground = command_line.in_foreground(observed["daemons"]["slurmctld"].get("command") or ())
    return RECONFIGURE if reloads and not in_foreground else RESTART


class Daemons:
    """slurmctld and slurmdbd of one cluster."""

    def __init__(self, cluster: Cluster, keys: Keys, conf_files: ConfFiles, openmetrics: OpenMetricsKey) -> None:
        self.cluster = cluster
        self.keys = keys
        self.conf_files = conf_files
        self.openmetrics = openmetrics

    def _must_load(self, host: str, component: str, conf_differs: bool) -> bool:
        """Whether the daemon has to load something: its file or key changes, or it missed an earlier change."""
        daemon = self.cluster.observations[host]["daemons"].get(component)
        if daemon is None:
            return False
        return (
            conf_differs
            or host in self.keys.shared.replaced_on()
            or host in self.keys.key_set_replaced_on()
            or bool(daemon["stale"])
            or daemon["key_loaded"] in ("absent", "replaced")
            or daemon["active"] not in RUNNING
        )

    def slurmdbd_restarts(self) -> list[str]:
        """The hosts on which slurmdbd restarts. All standbys restart with the primary, so none takes over."""
        hosts, standbys = self.cluster.slurmdbd_hosts, self.cluster.standby_slurmdbd_hosts
        due = [host for host in hosts if self._must_load(host, "slurmdbd", self.conf_files.slurmdbd_conf_differs(host))]
        return due if set(due) <= set(standbys) else [host for host in hosts if host in due or host in standbys]

    def slurmctld_loads(self) -> dict[str, str]:
        """Controller -> how slurmctld loads the change: RECONFIGURE or RESTART."""
        return {
            host: self.load_method(host, self.cluster.observations[host]["daemons"]["slurmctld"]["active"] == "active")
            for host in self.cluster.controllers
            if self._must_load(host, "slurmctld", self.conf_files.slurm_conf_differs(host))
            or host in self.openmetrics.shared.replaced_on()
            or self.openmetrics.not_loaded(host)
        }

    def load_method(self, host: str, running: bool = True) -> str:
        """How slurmctld loads changed keys."""
        # A standby reads keys only when it starts.
        if host != self.cluster.primary or not running:
            return RESTART
        return primary_load_method(self.cluster.observations[host])

    def of_key_set(self, host: str) -> list[dict[str, Any]]:
        """The daemons of a key host that load the key set, as an option of the module slurm_jwks_timer."""
        observed = self.cluster.observations[host]
        daemons = []
        if host in self.cluster.slurmdbd_hosts and "slurmdbd" in observed["daemons"]:
            port = None if host in self.cluster.standby_slurmdbd_hosts else observed["dbd_conf"]["dbd_port"]
            service = observed["daemons"]["slurmdbd"]["service"]
            daemons.append({"component": "slurmdbd", "service": service, "way": RESTART, "port": port})
        if host in self.cluster.controllers and "slurmctld" in observed["daemons"]:
            way, port = self.load_method(host), observed["conf"]["slurmctld_port"]
            service = observed["daemons"]["slurmctld"]["service"]
            daemons.append({"component": "slurmctld", "service": service, "way": way, "port": port})
        return daemons
