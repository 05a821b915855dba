# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: cluster_table
short_description: What a run did on each host, as a table for people
version_added: 1.0.0
description:
  - Lists the hosts of a cluster with Slurm's release, what the run changed, and what was proven. Nodes on which the
    same happened share a line.
positional: hosts, unseen_by_check
options:
  unseen_by_check:
    description: In check mode, what would be done on each host beyond what its tasks told.
    type: dict
extends_documentation_fragment:
  - hpc.slurm_jwt.inventory.hostvars
  - hpc.slurm_jwt.inventory.hosts
author:
  - hpc.slurm_jwt contributors (@hpc)
"""

EXAMPLES = r"""
- name: Say what ran
  ansible.builtin.debug:
    msg: "{{ hostvars | hpc.slurm_jwt.cluster_table(groups['slurmctld']) }}"
  run_once: true
"""

RETURN = r"""
_value:
  description: The lines of the table.
  type: list
  elements: str
"""

from collections.abc import Callable
from typing import Any

from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils import _summary
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._untrusted import filters


class FilterModule:
    """The filter cluster_table."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return filters(cluster_table=_summary.table)
