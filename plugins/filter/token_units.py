# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: token_units
short_description: The systemd units to tell of new tokens
version_added: 1.0.0
description:
  - Lists the units of the services whose token is new. A file that only got another owner or mode is no news.
positional: result, everybody
options:
  _input:
    description: The services of one host, as the filter P(hpc.slurm_jwt.token_services#filter) gives them.
    type: list
    elements: dict
    required: true
  result:
    description: The result of M(hpc.slurm_jwt.slurm_jwt_token) on that host.
    type: dict
    required: true
  everybody:
    description: Whether every service is to be told, its token new or not.
    type: bool
    default: false
author:
  - hpc.slurm_jwt contributors (@hpc)
"""

EXAMPLES = r"""
- name: Restart what cannot read its token again by itself
  ansible.builtin.systemd_service:
    name: "{{ item }}"
    state: restarted
  loop: "{{ (slurm_jwt_tokens_here | hpc.slurm_jwt.token_units(result)).restarts }}"
"""

RETURN = r"""
_value:
  description: The units, as C(restarts) and C(reloads). A unit in both would be restarted, and is in the first only.
  type: dict
"""

from collections.abc import Callable
from typing import Any

from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils import _services
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._untrusted import filters


class FilterModule:
    """The filter token_units."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return filters(token_units=_services.units)
