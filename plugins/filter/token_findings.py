# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: token_findings
short_description: What somebody should do about declared tokens
version_added: 1.0.0
description:
  - Lists the tokens that are missing, refused, about to expire or otherwise not as declared, and the timers that do not
    do their work.
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
- name: Nobody has to do anything about tokens
  ansible.builtin.assert:
    that: hostvars | hpc.slurm_jwt.token_findings(groups, now().timestamp()) | length == 0
  run_once: true
"""

RETURN = r"""
_value:
  description:
    - Each finding, with C(severity), V(error) or V(warning), C(host), and C(text); and C(told), host and text as one
      line.
  type: list
  elements: dict
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils import _token_states
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._untrusted import filters


def token_findings(
    hostvars: Mapping[str, Any], groups: Mapping[str, Sequence[str]], now: float
) -> list[dict[str, Any]]:
    """The findings, as dictionaries."""
    found = _token_states.findings(_token_states.states(hostvars, groups, now))
    return [{**one._asdict(), "told": f"{one.host}: {one.text}"} for one in found]


class FilterModule:
    """The filter token_findings."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return filters(token_findings=token_findings)
