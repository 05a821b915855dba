# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How far the rotation of the local RSA key has come. Private to this collection.

Slurm trusts many RS256 keys at once, so the old and the new key are trusted together and no request is refused:

    the next key is created beside the current one     KEY.next on the primary controller
    its public key is published                        in the key set of every key host, and every daemon loaded that
    it signs                                           KEY is KEY.next, and services have tokens of it
    the old public key is withdrawn                    it stays in the key sets until its last token has expired
    the old public key is removed                      by the JWKS timer, or by a later run

The files show each step, so the next run continues there.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._cluster.state import ClusterState
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._plans.plan_types import Loads
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._plans.rotation_checks import daemons_of, due_reason
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._plans.rotation_settings import RotationSettings


class RsaRotation:
    """The rotation of one cluster."""

    def __init__(self, state: ClusterState, key: Mapping[str, Any], settings: RotationSettings) -> None:
        self.state = state
        self.cluster = state.cluster
        self.key = key
        """The observation of the local RSA key."""
        self.settings = settings

    @property
    def staged(self) -> Mapping[str, Any] | None:
        """The next key."""
        if not self.key.get("next_fingerprint"):
            return None
        return {name: self.key[f"next_{name}"] for name in ("fingerprint", "created", "serial", "by", "run", "run_age")}

    @property
    def signs(self) -> bool:
        """Whether the next key signs already, so only the old one has to be withdrawn."""
        return self.staged is not None and self.key["fingerprint"] == self.key["next_fingerprint"]

    @property
    def reason(self) -> str | None:
        """Why there is something to do; None if there is nothing. "key_set": only key sets change."""
        if self.staged:
            return "unfinished"
        key_set = "key_set" if self.state.keys.key_set_targets() or self.stale else None
        return due_reason(self.key, self.settings) or key_set

    @property
    def stale(self) -> list[str]:
        """Key hosts with a daemon that has not loaded the key set on its disk, because an earlier run died."""
        return [host for host, _component, daemon in daemons_of(self.cluster) if daemon["stale"]]

    @property
    def loads(self) -> Loads:
        """The daemons that have to load a changed key set."""
        slurmctld = {host: self.state.daemons.load_method(host) for host in self.cluster.controllers}
        return Loads(list(self.cluster.slurmdbd_hosts), slurmctld)
