# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: rollout_failure
short_description: Which host failed in a rescued play, and why
version_added: 1.0.0
description:
  - Reads, in the rescue section of a play over many hosts, which of them failed first, in which task, and what it said.
positional: everybody, left
options:
  everybody:
    description: The hosts with which the play began, that is C(ansible_play_hosts_all).
    type: list
    elements: str
    required: true
  left:
    description: The hosts that are still there, that is C(ansible_play_hosts).
    type: list
    elements: str
    required: true
extends_documentation_fragment:
  - hpc.slurm_jwt.inventory.hostvars
author:
  - hpc.slurm_jwt contributors (@hpc)
"""

EXAMPLES = r"""
- name: Note what failed
  ansible.builtin.set_fact:
    failure: "{{ hostvars | hpc.slurm_jwt.rollout_failure(ansible_play_hosts_all, ansible_play_hosts) }}"
  run_once: true
"""

RETURN = r"""
_value:
  description: The C(host), the C(task) and the C(cause) of the failure, and the C(run) that it belongs to.
  type: dict
"""

from collections.abc import Callable
from typing import Any

from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils import _summary
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._untrusted import filters


class FilterModule:
    """The filter rollout_failure."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return filters(rollout_failure=_summary.failure)
