# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: cluster_hosts
short_description: The hosts of an inventory that make the Slurm cluster
version_added: 1.0.0
description:
  - Lists every host of the groups for controllers, slurmdbd, slurmrestd and nodes once, controllers first.
  - The groups' names are those of the variables C(slurm_jwt_group_slurmctld), C(slurm_jwt_group_slurmdbd),
    C(slurm_jwt_group_slurmrestd) and C(slurm_jwt_group_nodes) as the first host of the inventory has them. A group that
    the inventory does not have counts as empty; no controller at all is an error.
positional: _hostvars, components
options:
  components:
    description: The components of the cluster to list. By default all.
    type: list
    elements: str
    choices: [slurmctld, slurmdbd, slurmrestd, node]
extends_documentation_fragment:
  - hpc.slurm_jwt.inventory.groups
author:
  - hpc.slurm_jwt contributors (@hpc)
"""

EXAMPLES = r"""
- name: Look at a whole cluster
  hosts: "{{ groups | hpc.slurm_jwt.cluster_hosts(hostvars) }}"
  gather_facts: false
"""

RETURN = r"""
_value:
  description: The names of the hosts.
  type: list
  elements: str
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ansible.errors import AnsibleFilterError

from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils import _cluster
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._untrusted import filters


def cluster_hosts(
    groups: Mapping[str, Sequence[str]],
    hostvars: Mapping[str, Any],
    components: Sequence[str] = tuple(_cluster.COMPONENTS),
) -> list[str]:
    """Every host of the cluster once, controllers first."""
    try:
        return _cluster.cluster_hosts(groups, _cluster.any_variables(groups, hostvars), components)
    except _cluster.ClusterError as error:
        raise AnsibleFilterError(str(error)) from error


class FilterModule:
    """The filter cluster_hosts."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return filters(cluster_hosts=cluster_hosts)
