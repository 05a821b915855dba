# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where slurmrestd listens if the site does not declare it. Private to this collection."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._inventory.host_variables import any_variables
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._inventory.inventory_hosts import (
    PROXY_GROUP,
    hosts_by_component,
    proxy_hosts,
)

# A socket behind the proxy, because any user can take a port that is free for a moment.
DEFAULT_LISTENER, DEFAULT_LISTENER_BEHIND_PROXY = "127.0.0.1:6820", "unix:/run/slurmrestd/slurmrestd.socket"


def default_listener(group_names: Sequence[str], proxy_group: str = "") -> str:
    """Where slurmrestd listens on a host of these groups, if the site does not declare slurmrestd_listen."""
    behind_proxy = (proxy_group or PROXY_GROUP[1]) in group_names
    return DEFAULT_LISTENER_BEHIND_PROXY if behind_proxy else DEFAULT_LISTENER


def default_listeners(groups: Mapping[str, Sequence[str]], hostvars: Mapping[str, Any]) -> dict[str, str]:
    """The default address on each host of slurmrestd for which slurmrestd_listen is not declared."""
    behind_proxy = proxy_hosts(groups, hostvars)
    return {
        host: DEFAULT_LISTENER_BEHIND_PROXY if host in behind_proxy else DEFAULT_LISTENER
        for host in hosts_by_component(groups, any_variables(groups, hostvars))["slurmrestd"]
        if host in hostvars and "slurmrestd_listen" not in hostvars[host]
    }
