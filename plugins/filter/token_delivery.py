# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: token_delivery
short_description: The tokens to install on one host
version_added: 1.0.0
description:
  - Lists the services of a host with their tokens, those that were made anew and those that stay, in the form that
    O(hpc.slurm_jwt.slurm_jwt_token#module:tokens) takes. Empty if there is nothing to do on that host.
  - The result holds tokens; set C(no_log).
positional: host, minted
options:
  _input:
    description: The variables of the host, that is C(hostvars[inventory_hostname]).
    type: dict
    required: true
  host:
    description: The host, that is C(inventory_hostname).
    type: str
    required: true
  minted:
    description: What the controller answered, RV(hpc.slurm_jwt.slurm_jwt_token#module:tokens). Null if it did not.
    type: list
    elements: dict
author:
  - hpc.slurm_jwt contributors (@hpc)
"""

EXAMPLES = r"""
- name: Install the tokens
  hpc.slurm_jwt.slurm_jwt_token:
    tokens: "{{ hostvars[inventory_hostname] | hpc.slurm_jwt.token_delivery(inventory_hostname, minted.tokens) }}"
  no_log: true
"""

RETURN = r"""
_value:
  description: The entries.
  type: list
  elements: dict
"""

from collections.abc import Callable
from typing import Any

from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils import _services
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._untrusted import filters


class FilterModule:
    """The filter token_delivery."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return filters(token_delivery=_services.delivery)
