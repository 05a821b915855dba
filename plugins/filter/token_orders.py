# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: token_orders
short_description: What the controller is asked about the tokens of all hosts
version_added: 1.0.0
description:
  - Lists every token of every host with what its file holds, for the option
    O(hpc.slurm_jwt.slurm_jwt_token#module:tokens) on the host with the key. The result holds tokens; set C(no_log).
positional: hosts
options:
  hosts:
    description: The hosts that are still in the play, that is C(ansible_play_hosts).
    type: list
    elements: str
    required: true
extends_documentation_fragment:
  - hpc.slurm_jwt.inventory.hostvars
author:
  - hpc.slurm_jwt contributors (@hpc)
"""

EXAMPLES = r"""
- name: Judge all tokens with the key, and make anew what has to be
  hpc.slurm_jwt.slurm_jwt_token:
    key_path: /var/spool/slurmctld/jwt_hs256.key
    tokens: "{{ hostvars | hpc.slurm_jwt.token_orders(ansible_play_hosts) }}"
    return_token: true
  no_log: true
"""

RETURN = r"""
_value:
  description: The entries.
  type: list
  elements: dict
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils import _cluster, _services
from ansible_collections.hpc.slurm_jwt.plugins.plugin_utils._untrusted import filters


def token_orders(hostvars: Mapping[str, Any], hosts: Sequence[str]) -> list[dict[str, Any]]:
    """The orders, made from what is declared now as it was at the beginning of the run."""
    _cluster.check_declarations(hostvars, hosts)
    return _services.orders(hostvars, hosts)


class FilterModule:
    """The filter token_orders."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return filters(token_orders=token_orders)
