# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Variables of Ansible that filters take."""

from __future__ import annotations


class ModuleDocFragment:
    HOSTVARS = r"""
options:
  _input:
    description: The variables of all hosts, that is C(hostvars).
    type: dict
    required: true
"""

    GROUPS = r"""
options:
  groups:
    description: The inventory's groups, that is C(groups).
    type: dict
    required: true
"""
