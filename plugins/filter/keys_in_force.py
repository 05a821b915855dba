# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: keys_in_force
short_description: Which key is in force on which host after a failure
version_added: 1.0.0
description:
  - Says by fingerprint which key each host has in force, as it was read after everything was put back, and not what was
    meant.
positional: hosts
options:
  hosts:
    description: The hosts that hold the key.
    type: list
    elements: str
    required: true
extends_documentation_fragment:
  - hpc.slurm_jwt.inventory.hostvars
author:
  - hpc.slurm_jwt contributors (@hpc)
"""

EXAMPLES = r"""
- name: Say which key is in force
  ansible.builtin.debug:
    msg: "{{ hostvars | hpc.slurm_jwt.keys_in_force(['ctl1', 'dbd1']) }}"
"""

RETURN = r"""
_value:
  description: A sentence.
  type: str
"""

from collections.abc import Callable

from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils import _summary
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._untrusted import filters


class FilterModule:
    """The filter keys_in_force."""

    def filters(self) -> dict[str, Callable[..., object]]:
        return filters(keys_in_force=_summary.keys_in_force)
