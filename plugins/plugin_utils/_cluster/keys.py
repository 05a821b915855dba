# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The signing key and the key sets of a cluster: where they are, and where a rollout changes them. Private to this
collection.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._cluster import trusted_keys
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._cluster.cluster import Cluster
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._cluster.shared_key import NO_KEY, SharedKey


class Keys:
    """The keys of one cluster, current and desired."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster

    def current(self, host: str) -> Mapping[str, Any]:
        """The HS256 key that the inspection of a host found."""
        return self.cluster.observations[host]["key"] or NO_KEY

    # -- where -------------------------------------------------------------------------------------------------------

    @property
    def path(self) -> str:
        primary = self.cluster.primary
        of_primary = self.cluster.observations[primary]["key_path"] if primary else None
        return self.cluster.desired.key_path or of_primary or ""

    def path_on(self, host: str) -> str:
        """slurmdbd keeps its key at the path that slurmdbd.conf names."""
        if self.cluster.desired.key_path or host in self.cluster.controllers:
            return self.path
        return str(self.current(host)["path"] or self.path)

    @property
    def undeclared_path(self) -> str:
        """The path of the key, if it follows neither from the site's declarations nor from StateSaveLocation."""
        primary = self.cluster.primary
        state = self.cluster.observations[primary]["state_dir"] if primary else None
        usual = f"{state['path']}/jwt_hs256.key" if state else ""
        return "" if self.cluster.desired.key_path or self.path == usual else self.path

    @property
    def source(self) -> str | None:
        """The key host whose key others get: the declared one, one that has a key, or the primary, which makes it."""
        having = [host for host in self.cluster.key_hosts if self.current(host)["exists"]]
        return self.cluster.desired.key_source or next(iter(having), self.cluster.primary)

    # -- what changes ------------------------------------------------------------------------------------------------

    @property
    def without_hs256(self) -> bool:
        """Whether daemons must not load an HS256 key. Only a removal puts an existing key aside."""
        return self.cluster.desired.removing or not self.cluster.desired.trust.with_hs256

    @property
    def shared(self) -> SharedKey:
        """The key that key hosts share. It does not change if daemons must not load it."""
        return SharedKey(
            self.cluster, self.cluster.key_hosts, self.current, None if self.without_hs256 else self.source
        )

    def folders_to_make(self) -> dict[str, str]:
        """Key host -> StateSaveLocation, if the key goes there and the folder is missing.

        If the folder exists after all, it keeps its ownership.
        """
        primary = self.cluster.primary
        if primary is None or self.without_hs256:
            return {}
        state = self.cluster.observations[primary]["state_dir"]
        if state is None:
            return {}
        return {
            host: str(state["path"])
            for host in self.cluster.key_hosts
            if self.path_on(host).rpartition("/")[0] == state["path"] and not self.current(host)["folder_exists"]
        }

    def put_aside(self) -> dict[str, bool]:
        """The key hosts whose key a removal puts aside, and whether a configuration file names it.

        A file stays where it is if it is possibly not a key.
        """
        if not self.cluster.desired.removing:
            return {}
        aside = {}
        for host in self.cluster.key_hosts:
            observed, key = self.cluster.observations[host], self.current(host)
            named = key["path"] in [(observed[name] or {}).get("key_path") for name in ("conf", "dbd_conf")]
            if self._is_a_file(host) and (named or (key["fingerprint"] and not key.get("weakness"))):
                aside[host] = named
            elif observed["key"] is None and not self._primary_is_weak():
                # A host of slurmdbd cannot tell the path of its key when slurmdbd.conf no longer names it.
                aside[host] = False
        return aside

    def _primary_is_weak(self) -> bool:
        return bool(self.cluster.primary and self.current(self.cluster.primary).get("weakness"))

    def _is_a_file(self, host: str) -> bool:
        """Whether the key exists, and is not a link or a folder."""
        problems = self.cluster.observations[host]["problems"]
        return bool(self.current(host)["exists"]) and not any(each["code"] == "key_not_a_file" for each in problems)

    def key_sets_aside(self) -> list[str]:
        """The key hosts whose key set is put aside: the site no longer declares trusted keys, or removes JWT."""
        trust = self.cluster.desired.trust
        if trust.jwks is None or (trust.jwks and not self.cluster.desired.removing):
            return []
        return [
            host for host in self.cluster.key_hosts if (self.cluster.observations[host]["jwks"] or {}).get("exists")
        ]

    @property
    def local_key_changes(self) -> bool:
        """Whether the local RSA key on the primary controller is created or repaired."""
        return self.cluster.desired.trust.local_key.changes and not self.cluster.desired.removing

    def key_set_targets(self) -> list[str]:
        """The key hosts whose key set is not up to date."""
        desired = self.cluster.desired
        if desired.removing:
            return []
        return trusted_keys.targets(desired.trust, self.cluster.observations, self.cluster.key_hosts)

    def key_set_replaced_on(self) -> list[str]:
        """The key hosts on which the keys of the key set change, so daemons must load it."""
        desired = self.cluster.desired
        if desired.removing:
            return []
        return trusted_keys.replaced_on(desired.trust, self.cluster.observations, self.cluster.key_hosts)
