# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: token_identity
short_description: Who a sample token would be to each daemon, as a table for people
version_added: 1.0.0
description:
  - Lists for each daemon which claim of the token it reads, which user comes of it on its host, and whether it would
    accept it. Refusals and cautions follow.
  - The token itself is not in it.
positional: hosts
extends_documentation_fragment:
  - hpc.slurm_jwt.inventory.hostvars
  - hpc.slurm_jwt.inventory.hosts
author:
  - hpc.slurm_jwt contributors (@hpc)
"""

EXAMPLES = r"""
- name: Who would the bearer of the sample token be
  ansible.builtin.debug:
    msg: "{{ hostvars | hpc.slurm_jwt.token_identity(groups['slurmctld'] + groups['slurmdbd']) }}"
  run_once: true
"""

RETURN = r"""
_value:
  description: The lines of the table; none if no daemon was asked about.
  type: list
  elements: str
"""

from collections.abc import Callable
from typing import Any

from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils import _identities
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._untrusted import filters


class FilterModule:
    """The filter token_identity."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return filters(token_identity=_identities.table)
