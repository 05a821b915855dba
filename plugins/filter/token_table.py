# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: token_table
short_description: Every declared token as it was found, as a table for people
version_added: 1.0.0
description:
  - Lists each token with service, user, host, lifespan, what is left of it, which key signed it, and the state of its
    timer, the worst first. Empty if no token is declared.
  - The role R(hpc.slurm_jwt.slurm_jwt_tokens, ansible_collections.hpc.slurm_jwt.slurm_jwt_tokens_role) has to have
    looked at them, by its entry point C(verify).
positional: groups, now
options:
  now:
    description: The instant that what is left counts from, in seconds since 1970.
    type: float
    required: true
extends_documentation_fragment:
  - hpc.slurm_jwt.inventory.and_groups
  - hpc.slurm_jwt.inventory.hostvars
author:
  - hpc.slurm_jwt contributors (@hpc)
"""

EXAMPLES = r"""
- name: Tokens of services
  ansible.builtin.debug:
    msg: "{{ hostvars | hpc.slurm_jwt.token_table(groups, now().timestamp()) }}"
  run_once: true
"""

RETURN = r"""
_value:
  description: The lines of the table.
  type: list
  elements: str
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils import _token_states
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._untrusted import filters


def token_table(hostvars: Mapping[str, Any], groups: Mapping[str, Sequence[str]], now: float) -> list[str]:
    """The lines of the table."""
    return _token_states.table(_token_states.states(hostvars, groups, now))


class FilterModule:
    """The filter token_table."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return filters(token_table=token_table)
