# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: proxy_hosts
short_description: The hosts of the authenticating proxy before slurmrestd
version_added: 1.0.0
description:
  - Lists the hosts of the group that C(slurm_jwt_group_proxy) names, or C(slurm_proxy), as the first host of the
    inventory has it. Without such a group the list is empty.
  - It is empty, too, after plays of the same run that failed to bring JWT or the tokens.
positional: _hostvars
extends_documentation_fragment:
  - hpc.slurm_jwt.inventory.groups
author:
  - hpc.slurm_jwt contributors (@hpc)
"""

EXAMPLES = r"""
- name: Bring the proxy up to date
  hosts: "{{ groups | hpc.slurm_jwt.proxy_hosts(hostvars) }}"
  gather_facts: false
"""

RETURN = r"""
_value:
  description: The names of the hosts.
  type: list
  elements: str
"""

from collections.abc import Callable
from typing import Any

from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils import _cluster
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._untrusted import filters


class FilterModule:
    """The filter proxy_hosts."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return filters(proxy_hosts=_cluster.proxy_hosts)
