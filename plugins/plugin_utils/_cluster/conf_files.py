# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""slurm.conf and slurmdbd.conf of a cluster: which differ from the declarations, and which hosts edit them. Private to
this collection.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping
from typing import Any

from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._cluster import shared_files, site_conf
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._cluster.cluster import Cluster
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._cluster.keys import Keys


class ConfFiles:
    """The configuration files of one cluster, current and desired."""

    def __init__(self, cluster: Cluster, keys: Keys) -> None:
        self.cluster = cluster
        self.keys = keys

    # -- which differ ------------------------------------------------------------------------------------------------

    def slurm_conf_differs(self, host: str) -> bool:
        """Whether slurm.conf is not as declared, on a host that has one."""
        observed = self.cluster.observations[host]
        conf = observed["conf"]
        if conf is None or not conf["exists"] or conf["configless"]:
            return False
        return bool(observed["differences"]["slurm_conf"]) or self._names_another_key(conf, self.keys.path)

    def slurmdbd_conf_differs(self, host: str) -> bool:
        observed = self.cluster.observations[host]
        conf = observed["dbd_conf"]
        if conf is None:
            return False
        another = self._names_another_key(conf, self.keys.path_on(host))
        return bool(observed["differences"]["slurmdbd_conf"]) or another

    def _names_another_key(self, conf: Mapping[str, Any], path: str) -> bool:
        named = conf["auth_alt_parameters"].get("jwt_key")
        return bool(path) and not self.keys.without_hs256 and named not in (None, path)

    # -- who edits them ----------------------------------------------------------------------------------------------

    @functools.cached_property
    def editors(self) -> dict[str, dict[str, str | None]]:
        """Kind of file -> key host whose file differs -> the key host that edits it; None if none can write it."""
        if not self.cluster.desired.manage_conf:
            return {shared_files.SLURM: {}, shared_files.SLURMDBD: {}}
        slurm = [host for host in self.cluster.key_hosts if self.slurm_conf_differs(host)]
        slurmdbd = [host for host in self.cluster.slurmdbd_hosts if self.slurmdbd_conf_differs(host)]
        observations = self.cluster.observations
        return {
            shared_files.SLURM: shared_files.editors(observations, slurm, shared_files.SLURM),
            shared_files.SLURMDBD: shared_files.editors(observations, slurmdbd, shared_files.SLURMDBD),
        }

    def edits_slurm_conf(self, host: str) -> bool:
        """Whether this host edits slurm.conf. If several hosts see one file, one of them edits it."""
        if not self.cluster.desired.manage_conf or not self.slurm_conf_differs(host):
            return False
        if host in self.cluster.key_hosts:
            return self.editors[shared_files.SLURM].get(host) == host
        return host not in self.waiting and self._obstacle(host) is None

    def edits_slurmdbd_conf(self, host: str) -> bool:
        return self.editors[shared_files.SLURMDBD].get(host) == host

    @functools.cached_property
    def waiting(self) -> dict[str, None]:
        """Hosts without a key whose slurm.conf a key host sees, or may see if no key host is in the play."""
        waiting: dict[str, None] = {}
        for host in self.cluster.keyless_hosts:
            observed = self.cluster.observations[host]
            if not self.cluster.desired.manage_conf or not self.slurm_conf_differs(host):
                continue
            shared = any(
                shared_files.sees(observed, self.cluster.observations[other], shared_files.SLURM)
                for other in self.cluster.key_hosts
                if self.cluster.observations[other]["conf"] is not None
            )
            may_be_shared = shared_files.may_be_shared(observed, shared_files.SLURM)
            if shared or (self.cluster.primary is None and may_be_shared):
                waiting[host] = None
        return waiting

    def _obstacle(self, host: str) -> str | None:
        return shared_files.obstacle(self.cluster.observations[host], shared_files.SLURM)

    def unwritable(self) -> dict[str, str]:
        """The hosts without a key that have to edit slurm.conf and cannot, each with the reason to leave it out."""
        observations = self.cluster.observations
        differing = [
            host
            for host in self.cluster.keyless_hosts
            if self.cluster.desired.manage_conf and self.slurm_conf_differs(host)
        ]
        reasons = {}
        for host in differing:
            if host in self.waiting or self._obstacle(host) is None:
                continue
            edited = any(
                self._obstacle(other) is None
                and shared_files.sees(observations[host], observations[other], shared_files.SLURM)
                for other in differing
            )
            if not edited:
                reasons[host] = shared_files.left_out(observations[host], shared_files.SLURM)
        return reasons

    def remove_backups_on(self, kind: str) -> list[str]:
        """The hosts that remove the backups of a file. If several hosts see one file, one that can write it does."""
        if not (self.cluster.desired.removing and self.cluster.desired.manage_conf):
            return []
        observations = self.cluster.observations
        chosen: list[str] = []
        for host in [*self.cluster.key_hosts, *self.cluster.keyless_hosts]:
            observed = observations[host]
            others = [other for other in chosen if other in self.cluster.key_hosts]
            shared = any(shared_files.sees(observed, observations[other], kind) for other in others)
            if observed[kind] is not None and not shared and shared_files.obstacle(observed, kind) is None:
                chosen.append(host)
        return chosen

    # -- files of another tool ---------------------------------------------------------------------------------------

    def missing_lines(self, hosts: Iterable[str]) -> list[site_conf.Lines]:
        """The lines that another tool must write into the files of these hosts."""
        if self.cluster.desired.manage_conf:
            return []
        missing = []
        for host in hosts:
            observed = self.cluster.observations[host]
            files = (
                ("slurm_conf", observed["conf"], self.slurm_conf_differs(host), self.keys.path),
                ("slurmdbd_conf", observed["dbd_conf"], self.slurmdbd_conf_differs(host), self.keys.path_on(host)),
            )
            for name, conf, differs, key_path in files:
                if differs:
                    desired = observed["desired"][name] or {"parameters": {}, "parameters_absent": []}
                    differences = observed["differences"][name]
                    named = None if self.keys.without_hs256 else key_path or None
                    missing.append(site_conf.missing(host, conf, desired, differences, named))
        return [lines for lines in missing if lines]
