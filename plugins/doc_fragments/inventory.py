# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What filters are given of an inventory. Which of its hosts a filter lists, it says itself."""

from __future__ import annotations


class ModuleDocFragment:
    # The groups, with the variables as an argument.
    GROUPS = r"""
options:
  _input:
    description: The inventory's groups, that is C(groups).
    type: dict
    required: true
  _hostvars:
    description: The variables of all hosts, that is C(hostvars).
    type: dict
    required: true
"""

    HOSTVARS = r"""
options:
  _input:
    description: The variables of all hosts, that is C(hostvars).
    type: dict
    required: true
"""

    # Those of hosts that were looked at.
    LOOKS = r"""
options:
  _input:
    description: The variables of all hosts, that is C(hostvars), each host's look in C(slurm_jwt_observation).
    type: dict
    required: true
"""

    # The groups as an argument, whatever the input is.
    AND_GROUPS = r"""
options:
  groups:
    description: The inventory's groups, that is C(groups).
    type: dict
    required: true
"""

    HOSTS = r"""
options:
  hosts:
    description: The hosts to list.
    type: list
    elements: str
    required: true
"""

    PLAYED = r"""
options:
  hosts:
    description: The hosts of the play, reachable or not, that is C(ansible_play_hosts_all).
    type: list
    elements: str
    required: true
"""
