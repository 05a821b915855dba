# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: planned_hosts
short_description: The hosts of one step of a rollout
version_added: 1.0.0
description:
  - Reads the plan that the first play of C(hpc.slurm_jwt.rollout) left with localhost, for the C(hosts) of the later
    plays.
  - Before there is a plan, as with C(--syntax-check), it is empty.
positional: step
options:
  step:
    description:
      - V(outer) are the hosts without a key and V(key_hosts) those with it that change, V(slurmrestd) those of the REST
        API. None of them after a failure. V(put_back) are those to put back after a failure, V(tidying) those on which
        something may be left over after a success. V(report) is the host that
        tells what ran.
      - In a rotation V(signer_and_services) are the controller that signs and the hosts of services, V(services) the
        latter alone, V(rsa_rotation) and V(withdrawing) those that get one more RS256 key and lose the old one,
        V(receiving) those that get tokens of it, V(reviving) those whose slurmrestd has died with slurmdbd.
    type: str
    choices: [outer, key_hosts, slurmrestd, signer_and_services, services, rsa_rotation, withdrawing, receiving,
      reviving, put_back, tidying, report]
    required: true
extends_documentation_fragment:
  - hpc.slurm_jwt.inventory.hostvars
author:
  - hpc.slurm_jwt contributors (@hpc)
"""

EXAMPLES = r"""
- name: Change the nodes
  hosts: "{{ hostvars | default({}) | hpc.slurm_jwt.planned_hosts('outer') }}"
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
    """The filter planned_hosts."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return filters(planned_hosts=_cluster.planned_hosts)
