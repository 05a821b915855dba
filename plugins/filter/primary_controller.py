# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: primary_controller
short_description: The primary controller, before anything is planned
version_added: 1.0.0
description:
  - Names the first C(SlurmctldHost) of slurm.conf among the controllers at which this run has looked with
    M(hpc.slurm_jwt.slurm_jwt_info), in C(slurm_jwt_observation).
positional: groups
extends_documentation_fragment:
  - hpc.slurm_jwt.inventory.and_groups
  - hpc.slurm_jwt.inventory.hostvars
author:
  - hpc.slurm_jwt contributors (@hpc)
"""

EXAMPLES = r"""
- name: Show it
  ansible.builtin.debug:
    msg: "{{ hostvars | hpc.slurm_jwt.primary_controller(groups) }}"
"""

RETURN = r"""
_value:
  description: The name of the host, null if no controller was looked at.
  type: str
"""

from collections.abc import Callable
from typing import Any

from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils import _local_key
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._untrusted import filters


class FilterModule:
    """The filter primary_controller."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return filters(primary_controller=_local_key.primary)
