# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the site wants of a cluster, and how the playbook was called. Private to this collection."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._cluster import trusted_keys

Observed = Mapping[str, Any]
"""What slurm_jwt_info returned about a host."""
# The mode of the key on every host. Every release of Slurm accepts it.
KEY_MODE = "0400"


class Desired(NamedTuple):
    """What the site declares and how the playbook was called, as far as the plan depends on it."""

    key_path: str = ""
    key_source: str = ""
    key_serial: str = ""
    install: bool = True
    removing: bool = False
    run_tags: Sequence[str] = ("all",)
    skip_tags: Sequence[str] = ()
    trust: trusted_keys.Trust = trusted_keys.Trust()
    nodes_unreachable_max: str = "0"
    default_listeners: Mapping[str, str] = {}
    """Where slurmrestd listens on each host for which the site does not declare it."""
    serves_slurmdb: bool = True
    """Whether a slurmrestd of the inventory must serve /slurmdb."""
    manage_conf: bool = True
    """Whether this collection, and not another tool, edits slurm.conf and slurmdbd.conf."""
    openmetrics_users: Sequence[str] | None = None
    """Who may read slurmctld's metrics with a token; None if metrics stay as they are."""
    verifying: bool = False
    """Whether the run changes nothing. Then it reports what is not as declared, and does not refuse because of it."""

    def chosen(self, tag: str) -> bool:
        """Whether ``--tags`` and ``--skip-tags`` let the tasks of this tag run."""
        return ("all" in self.run_tags or tag in self.run_tags) and tag not in self.skip_tags
