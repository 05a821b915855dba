# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A key that several hosts share: which of them has it already, and where a rollout changes it. Private to this
collection.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._cluster.cluster import Cluster
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._cluster.desired_state import KEY_MODE

# What is known of a key that no inspection has seen.
NO_KEY = {"exists": False, "folder_exists": False, "fingerprint": None, "path": None, "next": None}


class SharedKey:
    """One key of a cluster. All hosts get the key of one of them, the source. Without a source nothing changes."""

    def __init__(
        self,
        cluster: Cluster,
        hosts: Sequence[str],
        current: Callable[[str], Mapping[str, Any]],
        source: str | None,
    ) -> None:
        self.cluster = cluster
        self.hosts = hosts
        self.current = current
        self.source = source if source in cluster.observations else None

    def source_changes(self) -> bool:
        """Whether the key of the source is created, or gets a serial, owner or mode."""
        if self.source is None:
            return False
        needs_serial = bool(self.cluster.desired.key_serial) and not self.current(self.source).get("serial")
        return not self._is_as_declared(self.source) or needs_serial

    def _is_as_declared(self, host: str) -> bool:
        key = self.current(host)
        return bool(key["exists"]) and key["owner"] == self.cluster.slurm_user(host)["name"] and key["mode"] == KEY_MODE

    def targets(self) -> list[str]:
        """The hosts that get the key of the source: it is missing there, or has another serial, owner or mode."""
        replaced, source_changes = self.replaced_on(), self.source_changes()
        return [
            host
            for host in (self.hosts if self.source else ())
            if host != self.source and (host in replaced or not self._is_as_declared(host) or source_changes)
        ]

    def replaced_on(self) -> list[str]:
        """The hosts on which the bytes of the key change, so daemons must load it."""
        if self.source is None:
            return []
        fingerprint = self.current(self.source)["fingerprint"]
        return [
            host for host in self.hosts if fingerprint is None or self.current(host)["fingerprint"] != fingerprint
        ]

    def changing(self) -> list[str]:
        """The hosts on which the key is created, copied or corrected."""
        return [*([self.source] if self.source and self.source_changes() else []), *self.targets()]
