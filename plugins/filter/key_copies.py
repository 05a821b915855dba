# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: key_copies
short_description: Who holds a copy of the signing key, as a table for people
version_added: 1.0.0
description:
  - Lists every copy of the key that a look has found, the one in force, the next one of a rotation and the previous
    one, with host, fingerprint, owner, mode, age, serial and maker.
positional: hosts
extends_documentation_fragment:
  - hpc.slurm_jwt.inventory.looks
  - hpc.slurm_jwt.inventory.hosts
author:
  - hpc.slurm_jwt contributors (@hpc)
"""

EXAMPLES = r"""
- name: Who holds the key
  ansible.builtin.debug:
    msg: "{{ hostvars | hpc.slurm_jwt.key_copies(groups['slurmctld'] + groups['slurmdbd']) }}"
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
    """The filter key_copies."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return filters(key_copies=_summary.copies)
