# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: left_out
short_description: The hosts that a run went on without
version_added: 1.0.0
description:
  - Names each host without a key that was left out of a run, because of what it answered or because a step failed on
    it, and says why.
positional: hosts
options:
  hosts:
    description: Further hosts to look at, beside those of the plan.
    type: list
    elements: str
    default: []
extends_documentation_fragment:
  - hpc.slurm_jwt.inventory.hostvars
author:
  - hpc.slurm_jwt contributors (@hpc)
"""

EXAMPLES = r"""
- name: Say which hosts were left out
  ansible.builtin.debug:
    msg: "{{ hostvars | hpc.slurm_jwt.left_out }}"
"""

RETURN = r"""
_value:
  description: A sentence for each host.
  type: list
  elements: str
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils import _left_out
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._untrusted import filters


def left_out(hostvars: Mapping[str, Any], hosts: Sequence[str] = ()) -> list[str]:
    """The sentences."""
    return _left_out.told(hostvars, hosts)


class FilterModule:
    """The filter left_out."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return filters(left_out=left_out)
