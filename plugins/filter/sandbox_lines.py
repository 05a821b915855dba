# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: sandbox_lines
short_description: What systemd shuts a program off from, as lines of its unit
version_added: 1.0.0
description:
  - Gives the lines for the C([Service]) section of a unit, the same ones for slurmrestd, the proxy's verifier and the
    timers. With them C(systemd-analyze security) says 2.5 or less.
positional: _input, capabilities, ambient
options:
  _input:
    description: The address families that the program needs, such as V(AF_UNIX).
    type: list
    elements: str
    required: true
  capabilities:
    description: The capabilities that it needs, such as V(CAP_NET_BIND_SERVICE) to listen on a port below 1024.
    type: list
    elements: str
    default: []
  ambient:
    description: Whether its user, who is not root, gets them.
    type: bool
    default: false
  home:
    description: The value of C(ProtectHome).
    type: str
    default: "yes"
  denied:
    description: The groups of system calls that it does without.
    type: list
    elements: str
    default: ["@privileged", "@resources"]
author:
  - hpc.slurm_jwt contributors (@hpc)
"""

EXAMPLES = r"""
- name: Show them
  ansible.builtin.debug:
    msg: "{{ ['AF_UNIX', 'AF_INET', 'AF_INET6'] | hpc.slurm_jwt.sandbox_lines }}"
"""

RETURN = r"""
_value:
  description: The lines.
  type: list
  elements: str
"""

from collections.abc import Callable
from typing import Any

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._slurm import sandbox
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._untrusted import filters


class FilterModule:
    """The filter sandbox_lines."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return filters(sandbox_lines=sandbox.lines)
